import { canonicalJson, GwError, isObject, type Json, redact } from '../base/mod.ts'

/** What stands in the place of a secret that is not shown. */
const redacted = '[REDACTED]'

/** Keys whose value is a secret, wherever they stand, spelt in letters only. */
const secretKeys = new Set(
  ['token', 'tokensecret', 'servertoken', 'adminkey', 'apikey', 'secret', 'clientsecret', 'password', 'key']
    .concat(['access', 'refresh']),
)

const isSecretKey = (name: string): boolean => secretKeys.has(name.replace(/[^A-Za-z]/g, '').toLowerCase())

/** A config value as it may be shown: secrets and what looks like one are gone. */
export function redactConfig(value: unknown, name = ''): Json {
  if (typeof value === 'string') return value !== '' && isSecretKey(name) ? redacted : redact(value)
  if (Array.isArray(value)) return value.map((item) => redactConfig(item, name))
  if (isObject(value)) {
    if ('reveal' in value) return redacted
    return Object.fromEntries(Object.entries(value).map(([at, item]) => [at, redactConfig(item, memberName(name, at))]))
  }
  return (value ?? null) as Json
}

/** Tables whose members are named by their owner: a value there is a secret when its name says so. */
const openTables = new Set(['headers', 'query', 'env'])

const memberName = (table: string, name: string): string =>
  openTables.has(table) && /auth|cookie|key|token|secret|password|credential/i.test(name) ? 'secret' : name

/**
 * A document that somebody was shown by {@link redactConfig} and gave back changed, with what was hidden put back: every
 * value that is what its owner was shown stays what it is.
 *
 * @param before what stands there now
 * @throws GwError `request.invalid` naming the key, where a hidden value is given and there is none to keep
 */
export function restoreSecrets(given: Json, before: Json | undefined, path: readonly string[] = [], name = ''): Json {
  if (before !== undefined && same(given, redactConfig(before, name))) return before
  if (!hides(given)) return given
  if (Array.isArray(given)) {
    const old = Array.isArray(before) ? before as readonly Json[] : []
    return given.map((item: Json, i) => {
      if (!hides(item)) return item
      // Items have no name: one that moved is known again by all that could be seen of it, and by nothing less.
      const shown = old.filter((one) => same(item, redactConfig(one, name)))
      if (shown.length === 1) return shown[0]!
      return restoreSecrets(item, old.length === given.length ? old[i] : undefined, [...path, String(i)], name)
    })
  }
  if (isObject(given)) {
    const old = isObject(before) ? before as Readonly<Record<string, Json>> : {}
    return Object.fromEntries(
      Object.entries(given).map(([key, item]) => {
        const kept = Object.hasOwn(old, key) ? old[key] : undefined
        return [key, restoreSecrets(item as Json, kept, [...path, key], memberName(name, key))]
      }),
    )
  }
  const at = path.join('.')
  throw new GwError('request.invalid', `${at}: a hidden value is given, and there is none to keep`, {
    param: at,
    hint: 'give the value itself, or leave the key out',
  })
}

const same = (a: Json, b: Json): boolean => canonicalJson(a) === canonicalJson(b)

/** Whether a value, or one in it, is what {@link redactConfig} puts in the place of another. */
function hides(value: Json): boolean {
  if (typeof value === 'string') return value.includes(redacted) || value.includes('[secret]')
  if (Array.isArray(value)) return value.some((item) => hides(item as Json))
  return isObject(value) && Object.values(value).some((item) => hides(item as Json))
}
