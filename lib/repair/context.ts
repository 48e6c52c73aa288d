import type { Clock, Logger, Secret } from '../base/mod.ts'
import type { Fetch } from '../credentials/mod.ts'
import type { Board } from '../liveness/mod.ts'
import type { RunOptions, RunResult } from '../platform/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { ProbeOutcome } from './classify.ts'
import type { EventLog } from './events.ts'
import { planRoutes, type RoutesPlan } from './explain.ts'
import type { Handoffs } from './handoffs.ts'
import { accountKey, type Inventory, type RouteAccount } from './inventory/inventory.ts'
import { type Scope, type ScopedRoute, scopeRoutes } from './inventory/scope.ts'
import { createRuntimeCheck, type RuntimeState } from './runtime.ts'
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
export async function knownFacts({ storage, clock }: Pick<RepairContext, 'storage' | 'clock'>): Promise<KnownFacts> {
  const [identities, running, uses, affinity] = await Promise.all([
    storage.db.selectFrom('repair_identities').select(['account', 'identity']).execute(),
    storage.db.selectFrom('repair_running').selectAll().where('until_ms', '>', clock.now()).execute(),
    storage.db.selectFrom('repair_uses').selectAll().where('month', '=', monthOf(clock.now())).execute(),
    storage.db.selectFrom('facts').select(['key', 'value']).where('key', 'like', `${affinityPrefix}%`).execute(),
  ])
  return {
    identities: new Map(identities.map((row) => [row.account, row.identity])),
    repairs: new Map(running.map((row) => [row.account, row.started_ms])),
    uses: new Map(uses.map((row) => [row.account, row.uses])),
    affinity: new Map(
      affinity.map((row) => [row.key.slice(affinityPrefix.length), JSON.parse(row.value) as Affinity]),
    ),
  }
}

/**
 * The plan of a scope as things stand: evidence, this machine, who mends what.
 *
 * Reads; never writes, never probes, never connects.
 *
 * @throws GwError `scope.invalid`
 */
export async function planNow(context: RepairContext, scope: Scope): Promise<RoutesPlan> {
  const inventory = context.inventory()
  // A scope that names nothing is refused before anything is looked at.
  const wide = scope.profile === undefined && scope.provider === undefined
    ? inventory.accounts.flatMap(asRoutes)
    : scopeRoutes(inventory, scope)
  const facts = await knownFacts(context)
  const runtime = await runtimeOf(context, wide, facts, 'ask')
  return planRoutes({
    inventory,
    evidence: boardView(context.board),
    runtime: (route) => runtime.get(runtimeKey(route)) ?? { state: 'ready' },
    identity: (key) => facts.identities.get(key) ?? null,
    uses: (key) => facts.uses.get(key) ?? 0,
    affinity: (profile) => facts.affinity.get(profile) ?? null,
    now: context.clock.now(),
  }, scope)
}

const asRoutes = (account: RouteAccount): ScopedRoute[] =>
  account.capabilities.length === 0
    ? [{ account, capability: null }]
    : account.capabilities.map((capability) => ({ account, capability }))

const runtimeKey = ({ account, capability }: ScopedRoute): string => `${accountKey(account)}#${capability ?? ''}`

/** The runtime state of each route; what routes share is asked once. */
async function runtimeOf(
  { env }: Pick<RepairContext, 'env'>,
  routes: readonly ScopedRoute[],
  facts: KnownFacts,
  writing: 'ask' | 'marker',
): Promise<ReadonlyMap<string, RuntimeState>> {
  const { check } = createRuntimeCheck({ env, repairs: facts.repairs, writing })
  const states = await Promise.all(routes.map((route) => check(route.account, route.capability)))
  return new Map(routes.map((route, i) => [runtimeKey(route), states[i]!]))
}
