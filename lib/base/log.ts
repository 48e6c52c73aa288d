import type { Secret } from './secret.ts'

/** How much it matters. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Values a log line may carry. A `Secret` prints as `[secret]`. */
export type LogFields = Readonly<Record<string, unknown>>

/** Where engines report. One line per event, `event` is a dotted name, facts go into fields. */
export interface Logger {
  log(level: LogLevel, event: string, fields?: LogFields): void
}

const order: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 }

/** Field names whose values are never printed, whatever they hold. */
const secretName =
  /(^|[-_.])(authorization|cookie|api[-_]?key|secret|password|passwd|credential|private[-_]?key)s?$|(access|refresh|id|bearer|client|auth)[-_]?token$|^token$/i

/** Shapes of credentials that may hide inside a text: provider keys, our tokens, JWTs. */
const keyShape =
  /\b(?:sk-[A-Za-z0-9_-]{8,}|la_sk_[A-Za-z0-9._-]+|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|xox[abeprs]-[A-Za-z0-9-]{8,}|AIza[\w-]{20,}|ya29\.[\w.-]{8,}|AKIA[A-Z0-9]{12,}|eyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*)/gi
/** What follows the word that announces a credential, but for the words that gw itself puts there. */
const bearer = /(?<=\bBearer\s+)(?!token(?=[\s)]|$)|la_sk_…)[^\s"',]+/gi

/** C0 controls, DEL and the two line separators: a log line must stay one line and print nothing but text. */
const control = /[\p{Cc}\p{Zl}\p{Zp}]/gu

/** A text with everything that looks like a credential replaced, control characters escaped, cut at `maxLength`. */
export function redact(text: string, maxLength = 4096): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}…` : text
  return cut.replace(keyShape, '[secret]').replace(bearer, '[secret]').replace(
    control,
    (c) => c === '\n' ? '\\n' : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/**
 * A text of an upstream without the credential that it was sent, which it may repeat, and without anything that has the
 * shape of a key. All else stays as it is, JSON included.
 */
export function cutCredential(text: string, credential: Secret): string {
  const value = credential.reveal()
  return (value.length < 8 ? text : text.replaceAll(value, '[secret]')).replace(keyShape, '[secret]')
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redact(value)
  if (value instanceof Error) {
    const { code, hint } = value as { code?: unknown; hint?: unknown }
    return clean({ message: value.message, code, hint, cause: value.cause }, depth)
  }
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value
  if (depth > 4) return '…'
  if (Array.isArray(value)) return value.slice(0, 50).map((item) => clean(item, depth + 1))
  if ('toJSON' in value && typeof value.toJSON === 'function') return value.toJSON()
  const out: Record<string, unknown> = {}
  for (const [name, item] of Object.entries(value)) {
    if (item === undefined) continue
    out[name] = secretName.test(name) && item !== null && typeof item !== 'boolean'
      ? '[secret]'
      : clean(item, depth + 1)
  }
  return out
}

/** The fields of a log line as they may be printed: secrets gone by name and by shape, bounded in depth and length. */
export function redactFields(fields: LogFields): Record<string, unknown> {
  return clean(fields, 0) as Record<string, unknown>
}

/**
 * A logger that writes one JSON line per event through `write`.
 *
 * @param write gets the line without its newline; must not throw
 */
export function jsonLogger(
  write: (line: string) => void,
  options: { level?: LogLevel; now?: () => number } = {},
): Logger {
  const threshold = order[options.level ?? 'info']
  const now = options.now ?? Date.now
  return {
    log(level, event, fields = {}) {
      if (order[level] < threshold) return
      write(JSON.stringify({ at: new Date(now()).toISOString(), level, event, ...redactFields(fields) }))
    },
  }
}

/** A logger that says nothing. */
export const silentLogger: Logger = { log: () => {} }
