import type { Json } from '../base/mod.ts'

/** A variable of another gateway that gw understands. */
export interface ForeignVariable {
  readonly variable: string
  /** What it means here; `null` when it is read elsewhere or has no counterpart, as `note` says. */
  readonly path: string | null
  /** The value it means, or `undefined` when this text changes nothing. Absent: read as a setting of that type. */
  readonly read?: (text: string) => Json | undefined
  readonly note?: string
}

const truthy = (text: string) => /^(1|true|on|yes)$/i.test(text.trim())
const falsy = (text: string) => /^(0|false|off|no)$/i.test(text.trim())
const whenTrue = (value: Json) => (text: string) => truthy(text) ? value : undefined
const whenFalse = (value: Json) => (text: string) => falsy(text) ? value : undefined

const levels: Readonly<Record<string, string>> = {
  trace: 'debug',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  error: 'error',
}

const policies: Readonly<Record<string, string>> = {
  memory: 'memory',
  mem: 'memory',
  none: 'memory',
  text: 'text',
  lino: 'text',
  binary: 'binary',
  bin: 'binary',
  'link-cli': 'binary',
  linkcli: 'binary',
  clink: 'binary',
  both: 'both',
  dual: 'both',
}

const strategies: Readonly<Record<string, string>> = {
  'round-robin': 'round-robin',
  rr: 'round-robin',
  priority: 'priority',
  prio: 'priority',
  'least-used': 'least-used',
  leastused: 'least-used',
  lru: 'least-used',
}

/**
 * The variables of Link.Assistant.Router, token-plumber and Open LLM Auth that can be carried over one by one. Those
 * that describe accounts as a group are read by `foreignGroups`.
 */
export const foreignVariables: readonly ForeignVariable[] = [
  { variable: 'ROUTER_PORT', path: 'server.port' },
  { variable: 'ROUTER_HOST', path: 'server.host' },
  { variable: 'VERBOSE', path: 'log.level', read: whenTrue('debug') },
  { variable: 'RUST_LOG', path: 'log.level', read: (text) => levels[text.split(/[,=]/).pop()!.trim().toLowerCase()] },
  { variable: 'MAX_PROXY_REQUEST_BYTES', path: 'limits.body_bytes' },
  { variable: 'DISABLE_OPENAI_API', path: 'server.openai_api', read: whenTrue(false) },
  { variable: 'ENABLE_OPENAI_API', path: 'server.openai_api', read: whenFalse(false) },
  { variable: 'DISABLE_ANTHROPIC_API', path: 'server.anthropic_api', read: whenTrue(false) },
  { variable: 'ENABLE_ANTHROPIC_API', path: 'server.anthropic_api', read: whenFalse(false) },
  { variable: 'UPSTREAM_API_FORMAT', path: 'server.api_format', read: (text) => text.trim().toLowerCase() },
  { variable: 'DISABLE_METRICS', path: 'server.metrics', read: whenTrue(false) },
  { variable: 'ENABLE_METRICS', path: 'server.metrics', read: whenFalse(false) },
  { variable: 'ALLOW_ANONYMOUS_ADMIN', path: null, note: 'gw has no anonymous admin' },
  { variable: 'OPEN_LLM_AUTH_ALLOW_ANON', path: 'access.anonymous', read: whenTrue(true) },
  { variable: 'TOKEN_SECRET', path: 'access.token_secret' },
  { variable: 'TOKEN_ADMIN_KEY', path: 'access.admin_key' },
  { variable: 'OPEN_LLM_AUTH_TOKEN', path: 'access.server_token' },
  {
    variable: 'ACCOUNT_ROUTING_STRATEGY',
    path: 'routing.strategy',
    read: (text) => strategies[text.trim().toLowerCase()],
  },
  { variable: 'STORAGE_POLICY', path: 'access.storage_policy', read: (text) => policies[text.trim().toLowerCase()] },
]
