import { isObject, longestWaitMs, redact } from '../base/mod.ts'
import type { FailureKind, FailureScope, QuotaWindow, UpstreamFailure } from '../protocol/mod.ts'
import { boundedReset, type HeaderSource, parseDuration, parseReset, readRetryAfter, readWindows } from './headers.ts'

/** An answer that is no success, or an error event in the middle of a stream (then `status` is `null` or 200). */
export interface FailedAnswer {
  readonly status: number | null
  readonly headers: HeaderSource | null
  /** As far as it was read; text, bytes or a parsed value. */
  readonly body: Uint8Array | string | unknown
  /** Epoch ms. */
  readonly now: number
  /** The provider's id of the model asked for: what a limit without a name of its own limits. */
  readonly model?: string | null
}

/** What an error body says, whatever its shape. */
interface Said {
  readonly message: string
  /** Every code and type that the body names, lower case. */
  readonly codes: readonly string[]
  readonly error: Readonly<Record<string, unknown>>
}

interface Verdict {
  readonly kind: FailureKind
  readonly scope: FailureScope
  /** Told to liveness as the reason where it is finer than the kind. */
  readonly code?: string
  readonly mayTryOther?: boolean
}

const maxBodyLength = 65_536

/**
 * Reads an upstream's refusal: which kind, what it says something about, how long to wait, and the limits it describes.
 *
 * Codes in the body come first, then what the message says, then the status; a vendor's explicit reset beats any number
 * of ours. Hostile values are bounded. Knows shapes, not providers: one table serves every protocol, because gateways
 * pass each other's errors on.
 */
export function classifyFailure(answer: FailedAnswer): UpstreamFailure {
  const { status, headers, now } = answer
  const said = readBody(answer.body)
  const headerWindows = headers === null ? [] : readWindows(headers, now, answer.model ?? null)
  const bodyWindow = windowOf(said, now)
  const windows = bodyWindow === null ? headerWindows : [...headerWindows, bodyWindow]
  const verdict = refine(verdictOf(status, said), status, said, windows, headers)
  const wait = waitOf(said, headers, verdict.kind, now)
  return {
    kind: verdict.kind,
    scope: verdict.scope,
    status,
    message: oneLine(said.message, status),
    code: verdict.code ?? said.codes[0]?.slice(0, 100) ?? null,
    mayTryOther: verdict.mayTryOther ?? triesOther[verdict.kind],
    retryAfterMs: wait,
    windows,
  }
}

/** Whether another target may serve what this one refused for such a reason. */
const triesOther: Readonly<Record<FailureKind, boolean>> = {
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

const oneLine = (message: string, status: number | null): string =>
  redact(message.replace(/\s+/g, ' ').trim(), 500) || (status === null ? 'the upstream failed' : `HTTP ${status}`)

function readBody(body: unknown): Said {
  let value = body
  if (body instanceof Uint8Array) value = new TextDecoder().decode(body.subarray(0, maxBodyLength))
  if (typeof value === 'string') {
    const text = value.slice(0, maxBodyLength)
    try {
      value = JSON.parse(text)
    } catch {
      // A web page or plain text: only short text is worth showing.
      const plain = /^\s*</.test(text) ? '' : text.slice(0, 500)
      return { message: plain, codes: [], error: {} }
    }
  }
  if (Array.isArray(value)) value = value[0]
  if (!isObject(value)) return { message: typeof value === 'string' ? value : '', codes: [], error: {} }
  const inner = isObject(value.error)
    ? value.error
    : isObject(value.response) && isObject(value.response.error)
    ? value.response.error
    : value
  const codes: string[] = []
  const note = (code: unknown): void => {
    if (typeof code === 'string' && code !== '' && code.length <= 200) codes.push(code.toLowerCase())
    else if (typeof code === 'number') codes.push(String(code))
  }
  for (const from of inner === value ? [value] : [inner, value]) {
    note(from.code)
    note(from.type)
    note(from.__type)
    note(from.status)
    note(from.reason)
  }
  if (isObject(inner.innererror)) note(inner.innererror.code)
  if (typeof value.error === 'string') note(value.error)
  const texts = [inner.message, inner.Message, inner.detail, value.message, value.detail, value.error, inner.msg]
  const detail = Array.isArray(value.detail) && isObject(value.detail[0]) ? value.detail[0].msg : undefined
  const message = [...texts, detail].find((text) => typeof text === 'string' && text !== '') ?? ''
  const raw = isObject(inner.metadata) && typeof inner.metadata.raw === 'string' ? ` ${inner.metadata.raw}` : ''
  return { message: `${message as string}${raw}`.slice(0, 4_000), codes, error: inner }
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

const as = (kind: FailureKind, more: Partial<Verdict> = {}): Verdict => ({ kind, scope: scopes[kind], ...more })

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
const vague: ReadonlySet<FailureKind> = new Set(['invalid_request', 'rate_limited', 'server_error', 'forbidden'])

/** What messages say, most telling first. Matched only where the code left room for it. */
const bySentence: readonly (readonly [RegExp, Verdict])[] = [
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

function verdictOf(status: number | null, { message, codes, error }: Said): Verdict {
  const google = googleQuota(error)
  if (google !== null) return google
  const known = codes.map((code) => lookUp(code)).filter((verdict) => verdict !== null)
  const telling = known.find((verdict) => !vague.has(verdict.kind))
  if (telling) return telling
  const fallback = known[0] ?? fromStatus(status)
  // A plain 5xx, 404 or 401 needs no reading between the lines; refusals do.
  if (fallback.kind === 'unauthorized') return fallback
  const text = message.toLowerCase()
  for (const [pattern, verdict] of bySentence) {
    if (pattern.test(text) && fits(verdict.kind, status, fallback.kind)) return verdict
  }
  const byNumber = fromStatus(status)
  // The status of a refusal is finer than a vague type: `invalid_request_error` with 404 is a missing model.
  if (known[0]?.kind === 'invalid_request' && byNumber.kind !== 'invalid_request') return byNumber
  if (known[0]?.kind === 'server_error' && (status === 503 || status === 529)) return byNumber
  return fallback
}

function lookUp(code: string): Verdict | null {
  // AWS writes `com.amazon.coral#ThrottlingException:http://…`.
  const bare = code.includes('#') ? code.slice(code.lastIndexOf('#') + 1) : code
  const short = bare.split(':')[0]!
  return Object.hasOwn(byCode, short) ? byCode[short]! : null
}

/** Whether a sentence may overrule what the status says: a broken server is not our bill, a 429 is not a bad prompt. */
function fits(kind: FailureKind, status: number | null, otherwise: FailureKind): boolean {
  if (kind === 'concurrency' || kind === 'quota_exhausted') {
    return status === 429 || otherwise === 'rate_limited' || (status === 403 && kind === 'quota_exhausted')
  }
  if (kind === 'overloaded') return status === null || status === 200 || status === 429 || status >= 500
  if (kind === 'model_unavailable') return status !== 429 && (status === null || status < 500)
  if (status !== null && status >= 500) return kind === 'context_length' || kind === 'billing'
  return status !== 429 || kind === 'billing' || kind === 'entitlement'
}

function fromStatus(status: number | null): Verdict {
  if (status === null || status < 400) return as('server_error')
  return byStatus[status] ?? (status >= 500 ? as('server_error') : as('invalid_request'))
}

/** What the windows and the shape of a 429 add to its code. */
function refine(
  verdict: Verdict,
  status: number | null,
  said: Said,
  windows: readonly QuotaWindow[],
  headers: HeaderSource | null,
): Verdict {
  if (verdict.kind === 'rate_limited' || verdict.kind === 'quota_exhausted') {
    const plan = windows.filter((window) => window.status === 'rejected' && (window.lengthMs ?? 0) >= 3_600_000)
    if (plan.length > 0) {
      return as('quota_exhausted', { scope: plan.every((window) => window.model !== null) ? 'model' : 'account' })
    }
    if (headers?.get('anthropic-ratelimit-unified-status')?.trim().toLowerCase() === 'rejected') {
      return as('quota_exhausted')
    }
    if (verdict.kind === 'quota_exhausted' && /\b(rpd|tpd)\b|per day/i.test(said.message)) {
      return as('quota_exhausted', { scope: 'model' })
    }
  }
  // A refusal that names no limit at all: what a plan login gets for use that its vendor does not serve.
  if (
    status === 429 && verdict.kind === 'rate_limited' && said.message.trim() === 'Error' &&
    headers?.get('retry-after') == null
  ) return as('entitlement', { scope: 'request' })
  return verdict
}

/** What Google's quota details name: a limit per day or one per minute, whatever the sentence says. */
function googleQuota(error: Readonly<Record<string, unknown>>): Verdict | null {
  if (!Array.isArray(error.details)) return null
  const quotas = error.details.flatMap((detail) => {
    if (!isObject(detail) || !Array.isArray(detail.violations)) return []
    return detail.violations.map((violation) => isObject(violation) ? String(violation.quotaId ?? '') : '')
  })
  if (quotas.some((quota) => /perday/i.test(quota))) return as('quota_exhausted', { scope: 'model' })
  return quotas.some((quota) => /perminute/i.test(quota)) ? as('rate_limited') : null
}

/** The window that a body itself describes: ChatGPT's usage limit. */
function windowOf({ error, codes }: Said, now: number): QuotaWindow | null {
  if (!codes.some((code) => code === 'usage_limit_reached' || code === 'usage_limit_exceeded')) return null
  const after = error.resets_in_seconds
  const at = typeof error.resets_at === 'number'
    ? parseReset(String(error.resets_at), now)
    : typeof after === 'number' && after >= 0
    ? boundedReset(now + after * 1_000, now)
    : null
  return at === null ? null : {
    id: 'plan',
    lengthMs: null,
    used: 1,
    limit: null,
    remaining: null,
    resetsAt: at,
    status: 'rejected',
    model: null,
  }
}

const waits: ReadonlySet<FailureKind> = new Set([
  'rate_limited',
  'quota_exhausted',
  'overloaded',
  'concurrency',
  'server_error',
])

/** The provider's explicit wait: headers first, then details, then the sentence. */
function waitOf(said: Said, headers: HeaderSource | null, kind: FailureKind, now: number): number | null {
  const fromHeader = headers === null ? null : readRetryAfter(headers, now)
  if (fromHeader !== null) return fromHeader
  if (!waits.has(kind)) return null
  // Google's retry delay on a daily quota is a few seconds: it is about the minute, not the day.
  if (kind !== 'quota_exhausted') {
    const delay = retryDelay(said.error)
    if (delay !== null) return delay
  }
  const { message } = said
  const span =
    /(?:try again|retry|reset[s]?|available again)[^.\d]{0,40}?\bin\s+((?:\d[\d.]*\s*[a-z]+[\s,]*(?:and\s+)?)+)/i.exec(
      message,
    )
  if (span) {
    const ms = parseDuration(span[1]!.replace(/[\s,]+$/, '').replace(/\.$/, ''))
    if (ms !== null) return ms
  }
  const date =
    /(?:try again (?:at|after)|reset[s]? (?:at|on)|available again at)\s+([A-Z][a-z]{2,8} \d{1,2}(?:st|nd|rd|th)?,? \d{4},? \d{1,2}:\d\d(?: ?[AP]M)?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?Z?)/
      .exec(message)
  if (date) {
    const text = date[1]!.replace(/(\d)(st|nd|rd|th)/, '$1')
    const at = Date.parse(/^\d{4}/.test(text) ? `${text.replace(' ', 'T').replace(/Z$/, '')}Z` : `${text} UTC`)
    const bounded = Number.isNaN(at) ? null : boundedReset(at, now)
    if (bounded !== null) return Math.max(0, bounded - now)
  }
  return null
}

function retryDelay(error: Readonly<Record<string, unknown>>): number | null {
  if (!Array.isArray(error.details)) return null
  for (const detail of error.details) {
    if (!isObject(detail) || typeof detail.retryDelay !== 'string') continue
    const ms = parseDuration(detail.retryDelay)
    if (ms !== null) return Math.min(ms, longestWaitMs)
  }
  return null
}
