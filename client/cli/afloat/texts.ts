import { isObject } from '../../../lib/base/mod.ts'
import type { InTheWay, RepairRunReport } from '../../../lib/repair/mod.ts'
import { printable } from '../words.ts'

type Result = Readonly<Record<string, unknown>>

/** Why the next run has no route of its own yet, in one line, and what to do in the next. */
export function blockedText(way: InTheWay | null): string {
  if (way === null) return 'no route is configured: gw init\n'
  const { health_key, kind, message, interactive, command } = way
  const key = printable(health_key)
  const who = interactive
    ? `a person is needed for ${key}`
    : kind === 'probe_needed'
    ? `${key} would be tried, unproven`
    : key
  return `${who}: ${printable(message)}\n${command ? `→ ${printable(command)}\n` : ''}`
}

/** What came of a repair, for people. */
export function repairText({ ok, reason, error, selected, route }: RepairRunReport): string {
  if (selected !== null) return `nothing to mend: ${selected.health_key} can be used`
  if (error === 'interactive_json_unsupported') {
    return `failed: it needs a person at a terminal: ${route?.action.command ?? 'gw repair run --confirm-repair'}`
  }
  if (error === 'repair_in_progress') return 'failed: another process is mending this account'
  if (reason === 'no_admitted_repair') {
    return 'nothing here is mended by a login or a refresh; gw repair plan says what is'
  }
  return `${ok ? 'ok' : 'failed'}: ${reason ?? error ?? ''}`
}

/** What a probe found out, for people. */
export function probeText(result: Result): string {
  const { error, liveness, runtime, admission, probe_executed: asked, probe_status: status } = result
  const key = keyOf(result)
  if (result.ok) {
    return asked
      ? `${key}: works (${status})`
      : `${key}: its credential is there and has not expired; nothing was asked of the provider`
  }
  if (asked) return `${key}: ${isObject(liveness) ? liveness.summary : error} (${status})`
  if (error === 'budget_not_allowed') {
    const cost = isObject(admission) ? ` costs ${admission.budget} and` : ''
    return `${key}: not probed: that${cost} needs a yes: --confirm-spend`
  }
  if (error === 'upstream.unreachable') return `${key}: not probed: it cannot be reached; look at the network`
  if (error === 'upstream.timeout') return `${key}: not probed: it did not answer in time; ask again`
  const ready = isObject(runtime) && isObject(runtime.readiness) ? runtime.readiness : {}
  const detail = ready.state === error ? ready.binary ?? ready.detail ?? ready.reason : undefined
  return `${key}: not probed: ${error}${detail === undefined ? '' : ` (${detail})`}`
}

/** What came of acknowledging or clearing a handoff, for people. */
function handoffText(result: Result): string {
  const key = keyOf(result)
  const acknowledging = result.action === 'ack'
  if (result.reason === 'no_pending_handoff') {
    const route = result.profile === null ? key : `${key} in profile ${result.profile}`
    return `nothing to ${
      acknowledging ? 'acknowledge' : 'clear'
    }: no step of ${route} waits; gw stay-afloat handoffs names those that do`
  }
  return acknowledging ? `${key}: seen; it waits until the route works or it is cleared` : `${key}: done`
}

const keyOf = ({ provider, account, capability }: Result): string =>
  `${provider}:${account}${typeof capability === 'string' ? `#${capability}` : ''}`

/** Operations that can come back with less than was asked for, and the exit code that says so. */
export const exits: Readonly<Record<string, (result: Result) => number>> = {
  // What is not ours to refresh was never tried.
  'config.validate': ({ ok }) => ok ? 0 : 200,
  'repair.refresh': ({ refreshed }) =>
    (refreshed as readonly Result[]).some(({ ok, outcome }) => !ok && outcome !== 'not_admitted') ? 203 : 0,
}

/** Operations whose answer is one sentence rather than its fields. */
export const sentences: Readonly<Record<string, (result: Result) => string>> = {
  'afloat.ack': handoffText,
  'afloat.clear': handoffText,
  'config.validate': ({ ok, problem, warnings }) =>
    [ok ? 'config: valid' : String(problem), ...(warnings as readonly string[]).map((text) => `warning: ${text}`)]
      .join('\n'),
  'route.why': (result) => whyText(result as unknown as WhyAnswer),
}

/** What {@link whyText} tells of the answer of `route.why`. */
interface WhyAnswer {
  readonly request: string
  readonly requested: string | null
  readonly outcome: string
  readonly status: number
  readonly error: string | null
  readonly sentence: string
  readonly attempts: readonly {
    readonly target: string
    readonly model: string
    readonly status: number | null
    readonly failure: string | null
    readonly message: string | null
    readonly durationMs: number
  }[]
  readonly plan: {
    readonly strategy: string
    readonly candidates: readonly { readonly target: string; readonly model: string; readonly because: string }[]
    readonly dropped: readonly {
      readonly target: string
      readonly model: string
      readonly because: string
      readonly detail: string
    }[]
  } | null
}

/** Why a request went where it went, for people: what was tried, what was considered, and what was left out. */
function whyText({ request, requested, outcome, status, error, sentence, attempts, plan }: WhyAnswer): string {
  const place = ({ target, model }: { readonly target: string; readonly model: string }) => `  ${target} ${model}  `
  const lines = [`${request}  ${requested ?? 'no model named'}: ${outcome} (${status})`, sentence]
  if (error !== null) lines.push(error)
  if (attempts.length > 0) lines.push('tried:')
  for (const one of attempts) {
    const how = one.failure === null ? 'answered' : `${one.failure}${one.message ? `: ${one.message}` : ''}`
    lines.push(`${place(one)}${one.status ?? '-'} ${how} (${one.durationMs} ms)`)
  }
  if (plan === null) {
    return [...lines, 'there was nothing else to choose from, or it is more than a week ago'].join('\n')
  }
  lines.push(`considered, in this order (${plan.strategy}):`)
  for (const one of plan.candidates) lines.push(`${place(one)}${one.because}`)
  if (plan.candidates.length === 0) lines.push('  none')
  if (plan.dropped.length > 0) lines.push('left out:')
  for (const one of plan.dropped) lines.push(`${place(one)}${one.because}: ${one.detail}`)
  return lines.join('\n')
}
