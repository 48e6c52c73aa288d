import { isObject } from '../base/mod.ts'
import type { ProbeOutcome } from './classify.ts'

/** How a probe's command ended. */
export interface CommandEnd {
  /** Exit status; `null` when it was killed. */
  readonly status: number | null
  readonly timedOut: boolean
  readonly stdout: string
  readonly stderr: string
}

/** Judgements that only the text of a command can give, before its exit status counts. */
export type CommandVerdict =
  | { readonly is: 'outcome'; readonly outcome: ProbeOutcome }
  /** `resetsAt` epoch ms, `null` when the text names no time. */
  | { readonly is: 'quota_exhausted'; readonly resetsAt: number | null }

/** Texts by which agents say that the plan is spent. */
const spent = /usage limit|buy (?:more )?credits|purchase more credits|try again at /i
/** `try again at Nov 22nd, 2026 3:04 PM`, in the time of this machine. */
const again =
  /try again at\s+([A-Z][a-z]{2,8}\.?)\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4}),?\s+(\d{1,2}):(\d{2})\s*([AP]M)/i

/**
 * What the end of a command means, in terms of HTTP: 0 is 200, another status 400, killed 500, out of time 408.
 *
 * Where the output is the JSON lines of an agent, a completed turn is a success whatever else was printed, and a plan
 * that is spent is told from a call that failed.
 */
export function commandVerdict(end: CommandEnd, now: number): CommandVerdict {
  const hint = `${end.stdout}\n${end.stderr}`
  const status = end.timedOut ? 408 : end.status === null ? 500 : end.status === 0 ? 200 : 400
  const outcome: CommandVerdict = { is: 'outcome', outcome: { status, waitMs: null, hint } }
  const events = agentEvents(end.stdout)
  if (!events) return outcome
  if (events.some(({ type }) => type === 'turn.completed')) {
    // The words of the answer are not evidence: an answer may well speak of usage limits.
    return { is: 'outcome', outcome: { status: 200, waitMs: null, hint: '' } }
  }
  const resets = events.map((event) => usageLimit(event, 0)).find((seconds) => seconds !== undefined)
  if (resets !== undefined) {
    return { is: 'quota_exhausted', resetsAt: resets === null ? null : now + resets * 1000 }
  }
  const errors = events.filter(({ type }) => /error|failed/.test(type)).map((event) => messages(event, 0)).join('\n')
  if (spent.test(errors)) return { is: 'quota_exhausted', resetsAt: againAt(errors, now) }
  const failed = errors !== '' && status === 200 ? 400 : status
  return { is: 'outcome', outcome: { status: failed, waitMs: null, hint: errors || hint } }
}

type AgentEvent = Record<string, unknown> & { readonly type: string }

/** The JSON lines of an agent, or `null` when the text is something else. Torn lines are passed over. */
function agentEvents(stdout: string): AgentEvent[] | null {
  const events: AgentEvent[] = []
  for (const line of stdout.split('\n')) {
    if (!line.startsWith('{')) continue
    try {
      const value = JSON.parse(line) as unknown
      if (isObject(value) && typeof value.type === 'string') events.push(value as AgentEvent)
    } catch {
      // a torn line says nothing
    }
  }
  return events.some(({ type }) => /^(?:thread|turn|item|error)\b/.test(type)) ? events : null
}

/** Seconds until the reset of a `usage_limit_reached` error anywhere in a value; `null` unnamed, `undefined` no such error. */
function usageLimit(value: unknown, depth: number): number | null | undefined {
  if (depth > 6) return undefined
  if (typeof value === 'string') {
    const start = value.indexOf('{')
    if (start < 0 || !value.includes('usage_limit_reached')) return undefined
    try {
      return usageLimit(JSON.parse(value.slice(start)), depth + 1)
    } catch {
      return null
    }
  }
  if (Array.isArray(value)) return value.map((item) => usageLimit(item, depth + 1)).find((found) => found !== undefined)
  if (!isObject(value)) return undefined
  if (value.type === 'usage_limit_reached' || value.codexErrorInfo === 'usageLimitExceeded') {
    const seconds = value.resets_in_seconds
    return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds : null
  }
  return Object.values(value).map((item) => usageLimit(item, depth + 1)).find((found) => found !== undefined)
}

/** All texts in a value, one per line. */
function messages(value: unknown, depth: number): string {
  if (depth > 6) return ''
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map((item) => messages(item, depth + 1)).join('\n')
  return isObject(value) ? Object.values(value).map((item) => messages(item, depth + 1)).filter(Boolean).join('\n') : ''
}

function againAt(text: string, now: number): number | null {
  const match = again.exec(text)
  if (!match) return null
  const [, month, day, year, hour, minute, half] = match
  const at = Date.parse(
    `${month!.replace('.', '').slice(0, 3)} ${day}, ${year} ${hour}:${minute} ${half!.toUpperCase()}`,
  )
  return Number.isNaN(at) || at <= now ? null : at
}
