import type { RoutedPlan } from '../routing/mod.ts'
import type { AnswerField } from './answer.ts'
import type { Rooms } from './seams.ts'

/** Header fields of this kind on one answer: enough to act on, and bounded. */
const mostFields = 4
const longestField = 400

/**
 * `x-gw-handoff: <provider:account> <command that mends it>` for each account that the plan of a request left out and
 * that waits for a person. Costs one comparison where nothing waits.
 */
export function handoffFields(plan: Pick<RoutedPlan, 'dropped'>, { waiting }: Pick<Rooms, 'waiting'>): AnswerField[] {
  const handoffs = waiting?.() ?? []
  if (handoffs.length === 0 || plan.dropped.length === 0) return []
  const out = new Set(plan.dropped.map(({ target }) => `${target.provider}:${target.account}`))
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

/** What a header field may hold; names of accounts are free text. */
const visible = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, longestField)
