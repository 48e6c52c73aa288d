import type { Generated } from 'kysely'

/** A lease that one process holds for a time. Owner: storage. */
export interface LeasesTable {
  name: string
  holder: string
  /** Grows with each taking; a holder whose number is no longer the newest must not write. */
  fence: number
  until_ms: number
}

/** Small durable facts: one JSON text per key. Owner: whoever prefixes the key with its room's name. */
export interface FactsTable {
  key: string
  value: string
  updated_ms: number
}

/** A question to a person and its answer. Owner: access. */
export interface ApprovalsTable {
  id: string
  /** SHA-256 over principal, subject, arguments and policy, hex. */
  digest: string
  principal: string
  subject: string
  preview: string
  state: string
  created_ms: number
  expires_ms: number
  decided_by: string | null
  /** SHA-256 of the code of the link that was handed out last, hex. */
  link_hash: string | null
  /** Who made that link. */
  link_by: string | null
}

/** What callers of the responses protocol may continue. Owner: gateway. */
export interface ResponseTurnsTable {
  principal: string
  id: string
  created_ms: number
  expires_ms: number
  /** Length of `turn`. */
  bytes: number
  /** JSON: the items of the conversation so far, and the response as it was sent. */
  turn: string
}

/** The text of a foreign tool as it was last seen. Owner: mcp-proxy. */
export interface McpToolsTable {
  server: string
  tool: string
  description_hash: string
  description: string
  first_seen_ms: number
  changed_ms: number | null
}

/** One call of a foreign tool, without its arguments. Owner: mcp-proxy. */
export interface McpCallsTable {
  id: string
  at_ms: number
  principal: string
  server: string
  tool: string
  action: string
  rule: string
  outcome: string
  duration_ms: number
  request_bytes: number
  response_bytes: number
}

/** Secrets, sealed. Owner: secrets. */
export interface SecretsTable {
  ref: string
  /** `gw1.<kid>.…`: see the secrets room. */
  sealed: string
  created_ms: number
  updated_ms: number
}

/** Accounts that an operation added. Owner: accounts. */
export interface AccountsTable {
  id: string
  provider: string
  /** JSON of the same shape as an account in the config. */
  record: string
  created_ms: number
  updated_ms: number
}

/** An issued access token; never the token itself. Owner: access. */
export interface TokensTable {
  /** UUID: the `sub` and `jti` of the token. */
  id: string
  label: string
  issued_ms: number
  expires_ms: number | null
  revoked_ms: number | null
  parent: string | null
  /** Principal id of whoever made it. */
  issuer: string
  /** JSON of the grant. */
  grant_json: string
}

/** A token that changed, for the other processes of this home. Owner: access. */
export interface TokenChangesTable {
  seq: Generated<number>
  token: string
  at_ms: number
}

/** What one process has spent of one budget in one period. Owner: access. */
export interface BudgetSpendTable {
  /** Token id, or `config:<name>`. */
  budget: string
  /** Start of the period; 0 for the life of the token. */
  period_ms: number
  /** The process that counted; each writes only its own row, so no two writes can collide. */
  writer: string
  spent_micros: number
  requests: number
  updated_ms: number
}

/** Each change made through an operation. Owner: operations. */
export interface AuditTable {
  id: string
  at_ms: number
  principal: string
  surface: string
  operation: string
  effect: string
  /** JSON, without secrets. */
  input: string
  before: string
  state: string
  after: string | null
  error: string | null
}

/** One request, written once, when it has ended. Owner: usage. */
export interface RequestsTable {
  at_ms: number
  id: string
  principal: string
  surface: string
  client_protocol: string | null
  requested_model: string | null
  model: string | null
  provider: string | null
  account: string | null
  stream: number
  input_tokens: number | null
  output_tokens: number | null
  cached_tokens: number | null
  cache_write_tokens: number | null
  cache_write_1h_tokens: number | null
  reasoning_tokens: number | null
  estimated: number
  cost_micros: number | null
  shadow_micros: number | null
  price_source: string | null
  /** Key of `usage_prices`. */
  price: string | null
  status: number
  outcome: string
  error: string | null
  first_byte_ms: number | null
  duration_ms: number
  request_bytes: number
  response_bytes: number
  session: string | null
  client: string | null
  /** JSON. */
  attempts: string
  /** JSON. */
  losses: string
}

/** Each price a request was ever counted with. Owner: usage. */
export interface UsagePricesTable {
  /** SHA-256 of the JSON, cut. */
  id: string
  price_json: string
  first_ms: number
}

/** What is added up. */
export interface UsageSums {
  requests: number
  errors: number
  input_tokens: number
  output_tokens: number
  cached_tokens: number
  cache_write_tokens: number
  reasoning_tokens: number
  cost_micros: number
  shadow_micros: number
  /** Requests whose price is unknown: their cost is not in the sums. */
  unpriced: number
  /** Requests whose token counts are an estimate. */
  estimated: number
  duration_ms: number
  first_byte_ms: number
  /** Requests that got a first byte: what `first_byte_ms` is divided by. */
  first_bytes: number
  request_bytes: number
  response_bytes: number
}

/** The sums of one hour for one value of one dimension. Owner: usage. */
export interface UsageHoursTable extends UsageSums {
  dimension: string
  hour_ms: number
  key: string
}

/** The sums of one hour of one principal. Owner: usage. */
export interface UsageByPrincipalTable extends UsageSums {
  principal: string
  hour_ms: number
  provider: string
  account: string
  model: string
  surface: string
}

/** A kept body, redacted. Owner: usage. */
export interface RequestBodiesTable {
  request: string
  part: string
  content: string
  whole_bytes: number
  expires_ms: number
}

/** A kept audio upload. Owner: usage. */
export interface RequestAudioTable {
  request: string
  file: string
  media_type: string
  bytes: number
  at_ms: number
  expires_ms: number
}

/** What is believed of one target key. Owner: liveness. */
export interface LivenessTable {
  key: string
  /** Version of the value's shape. */
  version: number
  /** JSON. */
  value: string
  updated_ms: number
}

/** A session and the account that holds its cached prefix. Owner: routing. */
export interface RouteSessionsTable {
  /** Hash; the session's own name is never stored. */
  key: string
  account: string
  bound_ms: number
  used_ms: number
}

/** The plan of one request as it was. Owner: routing. */
export interface RouteReceiptsTable {
  request: string
  at_ms: number
  /** JSON. */
  value: string
}

/** Model ids that a provider listed when asked. Owner: routing. */
export interface ProviderModelsTable {
  provider: string
  /** JSON array. */
  models: string
  updated_ms: number
}

/** Something stay-afloat did or would not do. Bounded to the newest. Owner: repair. */
export interface RepairEventsTable {
  id: Generated<number>
  at_ms: number
  kind: string
  outcome: string
  profile: string | null
  provider: string | null
  account: string | null
  capability: string | null
  /** JSON of the whole event: words and flags, never a secret, never a path of a credential. */
  value: string
}

/** A step that a person has to take. One pending row per key. Owner: repair. */
export interface RepairHandoffsTable {
  id: Generated<number>
  /** JSON of profile, provider, account and capability. */
  key: string
  profile: string | null
  provider: string
  account: string
  capability: string | null
  action: string
  reason: string
  command: string | null
  queued_ms: number
  acknowledged_ms: number | null
  resolved_ms: number | null
}

/** Who an account turned out to be: a hash, so that one person is not counted twice. Owner: repair. */
export interface RepairIdentitiesTable {
  account: string
  identity: string
  /** When its token ends, as far as it says. */
  expires_ms: number | null
  seen_ms: number
}

/** Probes and runs of one account in one calendar month. Owner: repair. */
export interface RepairUsesTable {
  account: string
  /** `2026-11`, UTC. */
  month: string
  uses: number
}

/** An account that is being mended; over when its time is, whatever became of the process. Owner: repair. */
export interface RepairRunningTable {
  account: string
  started_ms: number
  until_ms: number
}

/** Every table, with its owning room. Units are in the names: `_ms` epoch milliseconds, `_micros` micro-USD. */
export interface Database {
  /** operations */
  audit: AuditTable
  /** storage */
  leases: LeasesTable
  /** storage */
  facts: FactsTable
  /** access */
  approvals: ApprovalsTable
  /** gateway */
  response_turns: ResponseTurnsTable
  /** mcp-proxy */
  mcp_tools: McpToolsTable
  /** mcp-proxy */
  mcp_calls: McpCallsTable
  /** secrets */
  secrets: SecretsTable
  /** accounts */
  accounts: AccountsTable
  tokens: TokensTable
  /** access */
  token_changes: TokenChangesTable
  /** access */
  budget_spend: BudgetSpendTable
  /** usage */
  requests: RequestsTable
  /** usage */
  usage_prices: UsagePricesTable
  /** usage */
  usage_hours: UsageHoursTable
  /** usage */
  usage_by_principal: UsageByPrincipalTable
  /** usage */
  request_bodies: RequestBodiesTable
  /** usage */
  request_audio: RequestAudioTable
  /** liveness */
  liveness: LivenessTable
  /** routing */
  route_sessions: RouteSessionsTable
  /** routing */
  route_receipts: RouteReceiptsTable
  /** routing */
  provider_models: ProviderModelsTable
  /** repair */
  repair_events: RepairEventsTable
  /** repair */
  repair_handoffs: RepairHandoffsTable
  /** repair */
  repair_identities: RepairIdentitiesTable
  /** repair */
  repair_uses: RepairUsesTable
  /** repair */
  repair_running: RepairRunningTable
}
