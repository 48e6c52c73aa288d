import type { TargetKey } from '../accounts/mod.ts'
import type { RepairContext } from './context.ts'
import { planNow } from './context.ts'
import { accountKey, policyFor } from './inventory/inventory.ts'
import { admit, writebackFor } from './admission.ts'
import type { Scope } from './inventory/scope.ts'
import { handOverLost, settleAccount } from './hand-over.ts'
import type { Handoff } from './handoffs.ts'
import { refreshAccount } from './refresh.ts'
import { isLoud, mourn, raise, raiseLoud } from './risen.ts'
import { tick } from './tick.ts'

/** How the gateway looks after its accounts. */
export interface HostSettings {
  readonly enabled: boolean
  readonly execute: boolean
  readonly intervalMs: number
  readonly refreshAheadMs: number
}

/** Stay-afloat inside a running gateway. */
export interface Host {
  /** One look: what was done, or `null` when another process of this home is at it. */
  step(): Promise<HostStep | null>
  /** Begins to look, until {@link Host.stop}. */
  start(): void
  stop(): Promise<void>
  /** Steps that wait for a person, as of the last look: for headers and status, without a query. */
  pending(): readonly Handoff[]
  /** Until what has died in this process is in {@link Host.pending}; `null` when nothing is under way. */
  handing(): Promise<void> | null
  /** Looks for credentials that were replaced, and brings their accounts back. Never rejects. */
  raise(): Promise<void>
  /** Accounts that have another credential: what was believed of them is forgotten at once, their handoffs are done soon. */
  replaced(accounts: readonly { readonly provider: string; readonly account: string }[]): void
}

/** What one look came to. */
export interface HostStep {
  readonly did: 'nothing' | 'refresh' | 'probe' | 'repair'
  readonly account: string | null
}

const leaseName = 'repair.tick'
const leaseMs = 180_000
/** How soon a replaced credential is noticed. */
const raiseEveryMs = 1_000

/**
 * Makes the {@link Host}: due probes, renewals ahead of expiry, re-validation after a quota reset; at most one step a
 * look, and only in one process of a home at a time.
 */
export function createHost(
  context: RepairContext,
  settings: () => HostSettings,
  random: () => number,
): Host {
  let stopping: AbortController | null = null
  let running: Promise<void> = Promise.resolve()
  let waiting: readonly Handoff[] = []
  let handing: Promise<void> | null = null
  let settling: Promise<void> = Promise.resolve()

  async function step(): Promise<HostStep | null> {
    await context.news()
    waiting = await context.handoffs.list({ limit: 1000 })
    const lease = await context.storage.lease(leaseName, leaseMs)
    if (!lease) return null
    try {
      const { execute, refreshAheadMs } = settings()
      if (execute) await handOverLost(context, await planNow(context, {}))
      const renewed = execute ? await renewAhead(context, refreshAheadMs) : null
      const done = renewed ?? await tickScopes(context, execute)
      waiting = await context.handoffs.list({ limit: 1000 })
      return done
    } finally {
      await lease.release()
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { enabled, intervalMs } = settings()
      try {
        // Several gateways that start together do not look together.
        await context.clock.sleep(Math.round(intervalMs * (0.9 + 0.2 * random())), signal)
        if (enabled) await step()
      } catch (error) {
        if (signal.aborted) return
        context.logger.log('warn', 'repair.tick_failed', { error })
      }
    }
  }

  async function raiseBy(look: (context: RepairContext) => Promise<number>): Promise<void> {
    try {
      await context.news()
      if (await look(context) > 0) waiting = await context.handoffs.list({ limit: 1000 })
    } catch (error) {
      context.logger.log('warn', 'repair.raise_failed', { error })
    }
  }

  async function settle(accounts: Parameters<Host['replaced']>[0]): Promise<void> {
    try {
      for (const account of accounts) await settleAccount(context, account)
      waiting = await context.handoffs.list({ limit: 1000 })
    } catch (error) {
      context.logger.log('warn', 'repair.handoff_failed', { error })
    }
  }

  /** Programs are looked at beside the rest, which does not wait for them. */
  async function watch(signal: AbortSignal): Promise<void> {
    let looking: Promise<void> | null = null
    while (!signal.aborted) {
      await context.clock.sleep(raiseEveryMs, signal).catch(() => {})
      if (signal.aborted) break
      const { enabled, execute } = settings()
      if (enabled && execute) {
        looking ??= raiseBy(() => raiseLoud(context, signal)).finally(() => {
          looking = null
        })
      }
      await raiseBy(raise)
    }
    await looking
  }

  /** What dies while it serves is handed over at once: the answer that had to do without it says so already. */
  async function died(key: string, signal: AbortSignal): Promise<void> {
    const { enabled, execute } = settings()
    const failed = (error: unknown) => context.logger.log('warn', 'repair.handoff_failed', { key, error })
    try {
      if (enabled && execute) await handOverDead(key)
    } catch (error) {
      failed(error)
    }
    if (!isLoud(context, key)) await mourn(context, key, signal).catch(failed)
    else if (enabled && execute) {
      settling = Promise.all([settling, mourn(context, key, signal).catch(failed)]).then(() => {})
    }
  }

  async function handOverDead(key: string): Promise<void> {
    const account = context.inventory().accounts.find((one) => one.relay && accountKey(one) === key)
    if (!account) return
    const plan = await planNow(context, { provider: account.provider, account: account.account })
    if (await handOverLost(context, plan) > 0) waiting = await context.handoffs.list({ limit: 1000 })
  }

  return {
    step,
    start() {
      if (stopping) return
      stopping = new AbortController()
      const { signal } = stopping
      const forget = context.board.onDead((key) => {
        const after: Promise<void> = (handing ?? Promise.resolve()).then(() => died(key, signal)).finally(() => {
          if (handing === after) handing = null
        })
        handing = after
      })
      running = Promise.all([run(signal), watch(signal), aborted(signal).then(forget)]).then(() => handing ?? undefined)
    },
    async stop() {
      stopping?.abort()
      stopping = null
      await running
      await settling
    },
    pending: () => waiting,
    handing: () => handing,
    raise: () => raiseBy(raise),
    replaced(accounts) {
      for (const account of accounts) context.board.reset(accountKey(account) as TargetKey)
      settling = settling.then(() => settle(accounts))
    },
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

/** Renews the credential that ends first, if it ends soon, is ours to renew, and the policy lets background work do so. */
async function renewAhead(context: RepairContext, aheadMs: number): Promise<HostStep | null> {
  const now = context.clock.now()
  const rows = await context.storage.db.selectFrom('repair_identities').select(['account', 'expires_ms'])
    .where('expires_ms', '<=', now + aheadMs).orderBy('expires_ms').limit(100).execute()
  if (rows.length === 0) return null
  const inventory = context.inventory()
  const byKey = new Map(inventory.accounts.map((account) => [accountKey(account), account]))
  for (const row of rows) {
    const account = byKey.get(row.account)
    if (!account || context.board.get(row.account as never)?.liveness.state === 'dead') continue
    if (!writebackFor(account.definition.repair.owner, account.backend).automatic_refresh_admitted) continue
    const step = { kind: 'repair', budget: 'mutating', interactive: false, mutating: true } as const
    if (!admit(step, policyFor(inventory.policy, account.provider)).admitted) continue
    const report = await refreshAccount(context, account)
    if (report.executed) return { did: 'refresh', account: row.account }
  }
  return null
}

async function tickScopes(context: RepairContext, execute: boolean): Promise<HostStep> {
  const inventory = context.inventory()
  const plan = await planNow(context, {})
  // A quota whose window has passed is worth one look although other routes carry on without it.
  const due = plan.routes.find(({ report }) =>
    report.action.kind === 'revalidation_needed' && report.admission.daemon_probe.admitted
  )
  const scopes: Scope[] = [
    ...(due
      ? [{
        provider: due.report.provider,
        account: due.report.account,
        ...(due.report.capability === null ? {} : { capability: due.report.capability }),
      }]
      : []),
    ...[...inventory.profiles.keys()].map((profile) => ({ profile })),
    ...[...new Set(inventory.accounts.map(({ provider }) => provider))].map((provider) => ({ provider })),
  ]
  for (const scope of scopes) {
    const report = await tick(context, { ...scope, execute, mode: 'loop' })
    const done = report.executions.find(({ executed }) => executed)
    if (done && done.phase !== 'handoff') return { did: done.phase, account: `${done.provider}:${done.account}` }
  }
  return { did: 'nothing', account: null }
}
