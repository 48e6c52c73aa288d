import type { TargetKey } from '../accounts/mod.ts'
import { judge } from '../liveness/mod.ts'
import type { RepairContext } from './context.ts'
import type { Host } from './host.ts'
import { accountKey } from './inventory/inventory.ts'

/** Where gauges are shown; values are read when somebody looks. */
interface Gauges {
  gauge(
    name: string,
    help: string,
    read: () => number | readonly { readonly labels: Readonly<Record<string, string>>; readonly value: number }[],
  ): void
}

/** Shows monitors what stay-afloat knows: which accounts are usable, and how many steps wait for a person. */
export function showGauges(metrics: Gauges, context: RepairContext, host: Pick<Host, 'pending'>): void {
  metrics.gauge('gw_account_usable', 'Whether nothing recorded keeps the account from being used.', () => {
    const now = context.clock.now()
    return context.inventory().accounts.map((account) => {
      const standing = context.board.get(accountKey(account) as TargetKey)
      const blocked = standing !== null && judge(standing, now).is === 'blocked'
      return { labels: { provider: account.provider, account: account.account }, value: blocked ? 0 : 1 }
    })
  })
  metrics.gauge(
    'gw_handoffs_waiting',
    'Steps that wait for a person, as of the last look.',
    () => host.pending().length,
  )
}
