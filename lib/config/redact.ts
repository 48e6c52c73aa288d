import { isObject, type Json, redact } from '../base/mod.ts'

/** Config keys whose value is a secret, wherever they stand. */
const secretKey = /^(token|token_secret|server_token|admin_key|api_key|secret|password|key|access|refresh)$/i

/** A config value as it may be shown: secrets and what looks like one are gone. */
export function redactConfig(value: unknown, name = ''): Json {
  if (typeof value === 'string') return secretKey.test(name) ? '[REDACTED]' : redact(value)
  if (Array.isArray(value)) return value.map((item) => redactConfig(item, name))
  if (isObject(value)) {
    if ('reveal' in value) return '[REDACTED]'
    return Object.fromEntries(Object.entries(value).map(([at, item]) => [at, redactConfig(item, headerName(name, at))]))
  }
  return (value ?? null) as Json
}

/** Header values are secrets when their name says so. */
const headerName = (table: string, name: string): string =>
  table === 'headers' && /authorization|cookie|key|token|secret/i.test(name) ? 'secret' : name
