import { type AccountId, Secret } from '../base/mod.ts'
import type { AccountIdSpec, SourceSpec } from '../credentials/mod.ts'
import type { Account } from './account.ts'
import type { AccountRecord } from './config.ts'

/** The account that a written record means. */
export function accountFrom(id: string, record: AccountRecord, origin: Account['origin']): Account {
  const source = sourceOf(record)
  const accountId = accountIdOf(record)
  return {
    id: id as AccountId,
    provider: record.provider,
    label: record.label ?? id,
    source,
    ...(record.kind ? { kind: record.kind === 'api_key' ? 'api-key' : 'auth-token' } : {}),
    ...(accountId ? { accountId } : {}),
    enabled: record.enabled,
    priority: record.priority,
    weight: record.weight,
    plan: record.plan ?? (source.type === 'login' || source.type === 'foreign'),
    allowUndocumentedUse: record.allow_undocumented_use,
    limits: {
      concurrency: record.concurrency ?? null,
      requestsPerMinute: record.requests_per_minute ?? null,
      spendMicrosPerDay: record.spend_micros_per_day ?? null,
    },
    baseUrl: record.base_url ?? null,
    models: record.models,
    tags: record.tags,
    origin,
  }
}

function sourceOf(record: AccountRecord): SourceSpec {
  const { token, keychain, sops, age, foreign } = record
  const variable = token === undefined ? null : /^\$\{(\w+)\}$/.exec(token)
  if (variable) return { type: 'env', variable: variable[1]! }
  if (token !== undefined) return { type: 'literal', value: new Secret(token) }
  if (record.token_env) {
    const otherwise = record.token_store ? { type: 'store', ref: record.token_store } as const : null
    return { type: 'env', variable: record.token_env, ...(otherwise ? { otherwise } : {}) }
  }
  if (record.token_file) return { type: 'file', path: record.token_file }
  if (record.token_command) {
    return {
      type: 'command',
      argv: record.token_command,
      cacheTtlMs: record.cache_ttl_secs * 1000,
      timeoutMs: record.timeout_secs * 1000,
    }
  }
  if (record.token_store) return { type: 'store', ref: record.token_store }
  if (record.token_stdin) return { type: 'stdin' }
  if (keychain) return { type: 'keychain', ...keychain }
  if (sops) return { type: 'sops', path: sops.path, ...(sops.key ? { key: sops.key } : {}) }
  if (age) return { type: 'age', ...age }
  if (record.aws_profile) return { type: 'aws', profile: record.aws_profile }
  if (record.google_key_file) return { type: 'google', path: record.google_key_file }
  if (record.login) {
    const [vendor, binding] = record.login.split('.', 2) as [string, string?]
    return { type: 'login', vendor, binding: binding ?? null }
  }
  if (foreign !== undefined) {
    return typeof foreign === 'string'
      ? { type: 'foreign', tool: foreign, path: null }
      : { type: 'foreign', tool: foreign.tool, path: foreign.path ?? null }
  }
  return { type: 'none' }
}

function accountIdOf(record: AccountRecord): AccountIdSpec | null {
  if (record.account_id) return { type: 'value', value: record.account_id }
  if (record.account_id_env) return { type: 'env', variable: record.account_id_env }
  if (record.account_id_command) return { type: 'command', argv: record.account_id_command }
  return null
}
