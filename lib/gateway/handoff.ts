import type { Target } from '../accounts/mod.ts'
import type { Clock } from '../base/mod.ts'
import type { RoutedPlan } from '../routing/mod.ts'
import type { AnswerField } from './answer.ts'
import type { Rooms } from './seams.ts'

/** Header fields of this kind on one answer: enough to act on, and bounded. */
const mostFields = 4
const longestField = 400
/** How long an answer waits for the command that mends what its request has just lost. */
const handingMs = 1_000

/**
 * `x-gw-handoff: <provider:account> <command that mends it>` for each account that a request had to do without, because
 * its plan left it out or it failed, and that waits for a person. Costs one comparison where nothing waits.
 */
export function handoffFields(
  plan: Pick<RoutedPlan, 'dropped'>,
  { waiting }: Pick<Rooms, 'waiting'>,
  failed: readonly Target[] = [],
): AnswerField[] {
  const handoffs = waiting?.() ?? []
  if (handoffs.length === 0 || plan.dropped.length + failed.length === 0) return []
  const without = [...plan.dropped.map(({ target }) => target), ...failed]
  const out = new Set(without.map(({ provider, account }) => `${provider}:${account}`))
  const fields: AnswerField[] = []
  for (const { provider, account, command } of handoffs) {
    const key = `${provider}:${account}`
    // One line an account: its capabilities are mended together.
    if (!out.delete(key)) continue
    fields.push(['x-gw-handoff', visible(`${key} ${command ?? 'gw stay-afloat handoffs'}`)])
    if (fields.length === mostFields) break
  }
  return fields
}

/** Whether an account was lost a moment ago; resolves when it is known what mends it, or it takes too long to find out. */
export function handedOver({ handing, clock }: Pick<Rooms, 'handing'> & { readonly clock: Clock }) {
  const under = handing?.() ?? null
  if (under === null) return null
  const stop = new AbortController()
  return Promise.race([under, clock.sleep(handingMs, stop.signal).catch(() => {})]).finally(() => stop.abort())
}

/** What a header field may hold; names of accounts are free text. */
const visible = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, longestField)
