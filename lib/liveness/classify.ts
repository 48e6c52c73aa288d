import { isObject, redact } from '../base/mod.ts'
import type { FailureKind, QuotaWindow, UpstreamFailure } from '../protocol/mod.ts'
import { type HeaderSource, readWindows } from './headers.ts'
import { as, bySentence, fromStatus, lookUp, triesOther, vague, type Verdict } from './refusals.ts'
import { readBody, type Said } from './said.ts'
import { waitOf, windowOf } from './wait.ts'

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

const oneLine = (message: string, status: number | null): string =>
  redact(message.replace(/\s+/g, ' ').trim(), 500) || (status === null ? 'the upstream failed' : `HTTP ${status}`)

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
