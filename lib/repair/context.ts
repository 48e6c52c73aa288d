import type { Clock, Logger, Secret } from '../base/mod.ts'
import type { Fetch } from '../credentials/mod.ts'
import type { Board } from '../liveness/mod.ts'
import type { RunOptions, RunResult } from '../platform/mod.ts'
import { isAbandoned } from '../storage/look.ts'
import type { Rows, Storage } from '../storage/mod.ts'
import type { ProbeOutcome } from './classify.ts'
import type { EventLog } from './events.ts'
import { type Explanation, explanation, planRoutes, type RoutesPlan } from './explain.ts'
import type { Handoffs } from './handoffs.ts'
import { accountKey, type Inventory, type RouteAccount } from './inventory/inventory.ts'
import { type Scope, type ScopedRoute, scopeRoutes } from './inventory/scope.ts'
import { createRuntimeCheck, needsMachine, probeProgram, type RuntimeState } from './runtime.ts'
import { boardView } from './standing.ts'

/** Runs a program by argv, bounded in time and output. */
export type RunProgram = (argv: readonly string[], options: RunOptions) => Promise<RunResult>

/** The accounts of the relay, as far as this room needs them. */
export interface RelayAccounts {
  /**
   * A token that is good now, renewed first where need be.
   *
   * @throws GwError `credential.login_required` when a person must log in again; others say nothing about the account
   */
  lease(
    account: RouteAccount,
    options?: { readonly force?: boolean },
  ): Promise<{ readonly token: Secret; readonly expiresAt: number | null; readonly identity: string | null }>
  /** Asks its provider for something that costs nothing, such as its list of models. */
  ask(account: RouteAccount, capability: string, timeoutMs: number): Promise<ProbeOutcome>
}

/** What the engine of this room works with. Made once, in the composition root. */
export interface RepairContext {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly board: Board
  readonly events: EventLog
  readonly handoffs: Handoffs
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  /** The guarded way out. */
  readonly fetch: Fetch
  readonly runProgram: RunProgram
  /** All of standard input; absent where it is not this process's to read. */
  readonly readInput?: (() => Promise<string>) | undefined
  /** Until what another process of this home did is known here; `null` when all is. */
  readonly news: () => Promise<void> | null
  /** The accounts and definitions as they are now: the configuration may have been read again. */
  readonly inventory: () => Inventory
  /** `null` in a process that has no relay. */
  readonly relay: RelayAccounts | null
}

/** Facts about accounts that are in the database and not in the configuration. */
export interface KnownFacts {
  readonly identities: ReadonlyMap<string, string>
  /** Accounts being mended, and since when, epoch ms. */
  readonly repairs: ReadonlyMap<string, number>
  /** Probes and runs this month, by account key. */
  readonly uses: ReadonlyMap<string, number>
  /** The route last used for a profile, by profile. */
  readonly affinity: ReadonlyMap<string, Affinity>
}

/** Where a profile was served last. */
export interface Affinity {
  readonly key: string
  /** Epoch ms. */
  readonly at: number
}

/** The lease under which an account is mended, before its key. */
export const repairLease = 'repair:'

const affinityPrefix = 'repair.affinity.'

/** The calendar month of a time, UTC. */
function monthOf(now: number): string {
  return new Date(now).toISOString().slice(0, 7)
}

/** Counts one use of an account against its monthly limit, and keeps the profile with the route it used. */
export async function countUse(
  { storage, clock }: Pick<RepairContext, 'storage' | 'clock'>,
  account: RouteAccount,
  served: { readonly profile: string; readonly key: string } | null,
): Promise<void> {
  const now = clock.now()
  const month = monthOf(now)
  await storage.write(async (tx) => {
    await tx.insertInto('repair_uses').values({ account: accountKey(account), month, uses: 1 })
      .onConflict((at) =>
        at.columns(['account', 'month']).doUpdateSet((eb) => ({ uses: eb('repair_uses.uses', '+', 1) }))
      )
      .execute()
    await tx.deleteFrom('repair_uses').where('month', '<', monthOf(now - 400 * 86_400_000)).execute()
    if (served === null) return
    const value = { value: JSON.stringify({ key: served.key, at: now }), updated_ms: now }
    await tx.insertInto('facts').values({ key: affinityPrefix + served.profile, ...value })
      .onConflict((at) => at.column('key').doUpdateSet(value)).execute()
  })
}

/** Reads {@link KnownFacts}: four small tables, no write. */
export function knownFacts({ storage, clock }: { readonly storage: Rows; readonly clock: Clock }): KnownFacts {
  const now = clock.now()
  const identities = storage.rows<{ account: string; identity: string }>(
    'select account, identity from repair_identities',
  )
  const running = storage.rows<{ account: string; started_ms: number; holder: string | null }>(
    `select account, started_ms, holder from repair_running left join leases on name = '${repairLease}' || account
     where repair_running.until_ms > ?`,
    [now],
  ).filter(({ holder }) => holder === null || !isAbandoned(holder))
  const uses = storage.rows<{ account: string; uses: number }>(
    'select account, uses from repair_uses where month = ?',
    [monthOf(now)],
  )
  const affinity = storage.rows<{ key: string; value: string }>(
    'select key, value from facts where key >= ? and key < ?',
    [affinityPrefix, `${affinityPrefix}\uffff`],
  )
  return {
    identities: new Map(identities.map((row) => [row.account, row.identity])),
    repairs: new Map(running.map((row) => [row.account, row.started_ms])),
    uses: new Map(uses.map((row) => [row.account, row.uses])),
    affinity: new Map(
      affinity.map((row) => [row.key.slice(affinityPrefix.length), JSON.parse(row.value) as Affinity]),
    ),
  }
}

/** What planning needs: rows and beliefs that are only read, this machine, and the accounts. */
export interface Lookout extends Pick<RepairContext, 'clock' | 'env' | 'news' | 'inventory' | 'version'> {
  readonly storage: Rows
  readonly board: Pick<Board, 'get'>
}

/**
 * The plan of a scope as things stand: evidence, this machine, who mends what.
 *
 * Reads; never writes, never probes, never connects.
 *
 * @throws GwError `scope.invalid`
 */
export async function planNow(context: Lookout, scope: Scope): Promise<RoutesPlan> {
  await context.news()
  const inventory = context.inventory()
  // A scope that names nothing is refused before anything is looked at.
  const accounts = scope.profile === undefined && scope.provider === undefined
    ? inventory.accounts
    : [...new Set(scopeRoutes(inventory, scope).map(({ account }) => account))]
  const facts = knownFacts(context)
  const runtime = await runtimeOf(context, accounts, facts)
  const now = context.clock.now()
  return planRoutes({
    inventory,
    evidence: boardView(context.board, now),
    runtime,
    identity: (key) => facts.identities.get(key) ?? null,
    uses: (key) => facts.uses.get(key) ?? 0,
    affinity: (profile) => facts.affinity.get(profile) ?? null,
    now,
  }, scope)
}

/**
 * {@link planNow} as it is shown.
 *
 * @throws GwError `scope.invalid`
 */
export async function explainRoutes(
  context: Lookout,
  scope: Scope,
  action: Explanation['action'],
): Promise<Explanation> {
  const plan = await planNow(context, scope)
  return explanation(plan, action, { version: context.version, policy: context.inventory().policy.daemon })
}

/** The runtime state of the routes of some accounts. Routes that need the same program share one. */
async function runtimeOf(
  { env }: Pick<RepairContext, 'env'>,
  accounts: readonly RouteAccount[],
  facts: KnownFacts,
): Promise<(route: ScopedRoute) => RuntimeState> {
  const { check } = createRuntimeCheck({ env, repairs: facts.repairs, writing: 'ask' })
  const states = new Map<RouteAccount, ReadonlyMap<string | null, RuntimeState>>()
  const asking = accounts.filter((account) =>
    needsMachine(account.definition) || facts.repairs.has(accountKey(account))
  )
  await Promise.all(asking.map(async (account) => {
    const found = new Map<string | null, RuntimeState>()
    // First by itself, then with each program that one of its probes runs.
    found.set(null, await check(account, null))
    for (const { name, probe } of account.definition.capabilities) {
      const program = probeProgram(probe)
      if (!found.has(program)) found.set(program, await check(account, name))
    }
    states.set(account, found)
  }))
  return ({ account, probe }) => states.get(account)?.get(probeProgram(probe)) ?? { state: 'ready' }
}
