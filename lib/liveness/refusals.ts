import type { FailureKind, FailureScope } from '../protocol/mod.ts'

/** What a refusal is, and what it says something about. */
export interface Verdict {
  readonly kind: FailureKind
  readonly scope: FailureScope
  /** Told to liveness as the reason where it is finer than the kind. */
  readonly code?: string
  readonly mayTryOther?: boolean
}

const scopes: Readonly<Record<FailureKind, FailureScope>> = {
  rate_limited: 'model',
  quota_exhausted: 'account',
  overloaded: 'provider',
  concurrency: 'account',
  billing: 'account',
  entitlement: 'model',
  unauthorized: 'account',
  forbidden: 'account',
  model_unavailable: 'model',
  context_length: 'request',
  moderation: 'request',
  invalid_request: 'request',
  server_error: 'provider',
  timeout: 'provider',
  unreachable: 'provider',
  truncated: 'provider',
  empty: 'model',
  malformed: 'provider',
  local: 'local',
  cancelled: 'request',
}

/** A verdict of a kind, with the scope that the kind usually has. */
export const as = (kind: FailureKind, more: Partial<Verdict> = {}): Verdict => ({ kind, scope: scopes[kind], ...more })

/** Codes and types that vendors use, in lower case. */
const byCode: Readonly<Record<string, Verdict>> = {
  // limits
  rate_limit_exceeded: as('rate_limited'),
  rate_limit_error: as('rate_limited'),
  rate_limited: as('rate_limited'),
  rate_limit_reached_error: as('rate_limited'),
  too_many_requests: as('rate_limited'),
  throttlingexception: as('rate_limited'),
  throttling: as('rate_limited'),
  'throttling.ratequota': as('rate_limited'),
  'throttling.burstrate': as('rate_limited'),
  'throttling.allocationquota': as('quota_exhausted'),
  resource_exhausted: as('rate_limited'),
  toomanyrequestsexception: as('rate_limited'),
  1302: as('concurrency'),
  1303: as('rate_limited'),
  1304: as('quota_exhausted'),
  1305: as('overloaded', { scope: 'model' }),
  1308: as('quota_exhausted'),
  1309: as('billing'),
  1310: as('quota_exhausted'),
  usage_limit_reached: as('quota_exhausted'),
  usage_limit_exceeded: as('quota_exhausted'),
  servicequotaexceededexception: as('quota_exhausted'),
  quota_exceeded: as('quota_exhausted'),
  exceeded_current_quota_error: as('billing'),
  concurrency_limit_exceeded: as('concurrency'),
  too_many_concurrent_requests: as('concurrency'),
  // money and plans
  insufficient_quota: as('billing'),
  insufficient_balance: as('billing'),
  insufficient_credits: as('billing'),
  insufficient_user_quota: as('billing'),
  billing_hard_limit_reached: as('billing'),
  billing_not_active: as('billing'),
  billing_error: as('billing'),
  arrearage: as('billing'),
  1113: as('billing'),
  usage_not_included: as('entitlement', { scope: 'account' }),
  plan_required: as('entitlement'),
  // load
  overloaded_error: as('overloaded'),
  server_is_overloaded: as('overloaded'),
  engine_overloaded: as('overloaded'),
  engine_overloaded_error: as('overloaded'),
  slow_down: as('overloaded'),
  service_unavailable_error: as('overloaded'),
  serviceunavailableexception: as('overloaded'),
  modelnotreadyexception: as('overloaded', { scope: 'model' }),
  modelstreamerrorexception: as('server_error'),
  modeltimeoutexception: as('timeout', { scope: 'model' }),
  unavailable: as('overloaded', { scope: 'model' }),
  deadline_exceeded: as('timeout'),
  timeout_error: as('timeout'),
  request_timeout: as('timeout'),
  // who we are
  invalid_api_key: as('unauthorized'),
  authentication_error: as('unauthorized'),
  invalid_authentication_error: as('unauthorized'),
  unauthenticated: as('unauthorized'),
  token_expired: as('unauthorized'),
  token_invalidated: as('unauthorized'),
  token_revoked: as('unauthorized'),
  account_deactivated: as('unauthorized'),
  unrecognizedclientexception: as('unauthorized'),
  invalidsignatureexception: as('unauthorized'),
  expiredtokenexception: as('unauthorized'),
  permission_error: as('forbidden'),
  permission_denied: as('forbidden'),
  accessdeniedexception: as('forbidden', { scope: 'model' }),
  unsupported_country_region_territory: as('forbidden'),
  insufficient_scope: as('forbidden', { code: 'scope' }),
  missing_scope: as('forbidden', { code: 'scope' }),
  // the model
  model_not_found: as('model_unavailable'),
  not_found_error: as('model_unavailable'),
  model_not_available: as('model_unavailable'),
  deploymentnotfound: as('model_unavailable'),
  resourcenotfoundexception: as('model_unavailable'),
  model_not_supported: as('entitlement'),
  1211: as('model_unavailable'),
  // the request
  context_length_exceeded: as('context_length'),
  string_above_max_length: as('context_length'),
  request_too_large: as('context_length'),
  1261: as('context_length'),
  content_policy_violation: as('moderation'),
  content_filter: as('moderation'),
  responsibleaipolicyviolation: as('moderation'),
  moderation_blocked: as('moderation'),
  invalid_prompt: as('moderation'),
  cyber_policy_violation: as('moderation'),
  bio_policy: as('moderation'),
  data_inspection_failed: as('moderation'),
  datainspectionfailed: as('moderation'),
  1301: as('moderation'),
  invalid_request_error: as('invalid_request'),
  invalid_argument: as('invalid_request'),
  validationexception: as('invalid_request'),
  failed_precondition: as('invalid_request'),
  // the far side
  server_error: as('server_error'),
  api_error: as('server_error'),
  internal_error: as('server_error'),
  internal_server_error: as('server_error'),
  internal: as('server_error'),
  internalserverexception: as('server_error'),
  upstream_error: as('server_error'),
}

const byStatus: Readonly<Record<number, Verdict>> = {
  401: as('unauthorized'),
  402: as('billing'),
  403: as('forbidden'),
  404: as('model_unavailable'),
  408: as('timeout'),
  413: as('context_length'),
  424: as('server_error', { scope: 'model' }),
  425: as('overloaded'),
  429: as('rate_limited'),
  503: as('overloaded'),
  504: as('timeout'),
  524: as('timeout'),
  529: as('overloaded'),
}

/** Codes that say less than the message beside them may. */
export const vague: ReadonlySet<FailureKind> = new Set(['invalid_request', 'rate_limited', 'server_error', 'forbidden'])

/** What messages say, most telling first. Matched only where the code left room for it. */
export const bySentence: readonly (readonly [RegExp, Verdict])[] = [
  [
    /prompt is too long|context (length|window)|maximum context|exceed(s|ed)? (the )?(context|maximum (number of )?tokens)|input token count.*exceed|too many tokens.*(model|context)|input is too long/,
    as('context_length'),
  ],
  [
    /credit balance is too low|insufficient (credits?|balance|funds)|exceeded your current quota.*billing|payment required|requires more credits|out of credits|prepayment credits are depleted/,
    as('billing'),
  ],
  [
    /organization has been disabled|account (has been )?(deactivated|disabled|suspended)|api key (has been |was )?(disabled|revoked|expired|not valid)|api key not valid|invalid (api[ -]?key|bearer token|authentication)|oauth token (has )?(expired|been revoked)/,
    as('unauthorized'),
  ],
  [
    /(usage|session|weekly|daily|monthly|5-hour|five-hour|hourly) (usage )?limit|limit (reached|exceeded) for (today|this (week|month))|quota.*(per ?day|daily|exhausted|exceeded)|(per|a) (day|week|month)\b|\((rpd|tpd)\)|free-models-per-day/,
    as('quota_exhausted'),
  ],
  [
    /third-party apps (now )?draw|only authorized for use with|not (included|available) in your (current )?plan.*(client|app)/,
    as('entitlement', { scope: 'request' }),
  ],
  [
    /not supported when using .* with a .* account|not (available|included) (on|in|with) your (current )?(plan|tier|subscription)|upgrade (your plan|to (pro|plus|max))|(requires?|need) an? (higher|paid) (plan|tier)|tier .* not (eligible|allowed)/,
    as('entitlement'),
  ],
  [
    /does not meet scope requirement|insufficient (authentication )?scopes?|missing (required )?scopes?/,
    as('forbidden', { code: 'scope' }),
  ],
  [/accept (the )?(new )?(terms|consumer terms)|terms of service.*(accept|agree)/, as('forbidden', { code: 'terms' })],
  [
    /verif(y|ied|ication).*(organization|account|identity|phone)|(organization|account) must be verified|pending verification/,
    as('forbidden', { code: 'pending' }),
  ],
  [
    /content (policy|filter|management policy)|safety (system|policy)|flagged|prohibited_content|moderation|violat(es|ing) .*(polic|guideline)/,
    as('moderation'),
  ],
  [/concurren(t|cy)/, as('concurrency')],
  [
    /overloaded|high demand|at capacity|over capacity|no capacity|currently unavailable due to load|server is busy/,
    as('overloaded'),
  ],
  [
    /model.*(does not exist|not found|not exist|is invalid|identifier is invalid|no longer available|has been (deprecated|retired))|no endpoints found|unknown model|no allowed providers/,
    as('model_unavailable'),
  ],
]

/** The verdict of a code or type, `null` when nobody is known to use it. */
export function lookUp(code: string): Verdict | null {
  // AWS writes `com.amazon.coral#ThrottlingException:http://…`.
  const bare = code.includes('#') ? code.slice(code.lastIndexOf('#') + 1) : code
  const short = bare.split(':')[0]!
  return Object.hasOwn(byCode, short) ? byCode[short]! : null
}

/** The verdict when a status is all there is. */
export function fromStatus(status: number | null): Verdict {
  if (status === null || status < 400) return as('server_error')
  return byStatus[status] ?? (status >= 500 ? as('server_error') : as('invalid_request'))
}

/** Whether another target may serve what this one refused for such a reason. */
export const triesOther: Readonly<Record<FailureKind, boolean>> = {
  rate_limited: true,
  quota_exhausted: true,
  overloaded: true,
  concurrency: true,
  billing: true,
  entitlement: true,
  unauthorized: true,
  forbidden: true,
  model_unavailable: true,
  context_length: false,
  moderation: false,
  invalid_request: false,
  server_error: true,
  timeout: true,
  unreachable: true,
  truncated: true,
  empty: true,
  malformed: true,
  local: true,
  cancelled: false,
}
