import type { Clock, Logger } from '../base/mod.ts'
import type { Fetch } from '../credentials/mod.ts'
import type { Board } from '../liveness/mod.ts'
import { runCommand } from '../platform/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { explainRoutes, type RelayAccounts, type RepairContext, type RunProgram } from './context.ts'
import { createEventLog, type EventLog } from './events.ts'
import type { Explanation } from './explain.ts'
import { createHandoffs, type Handoffs } from './handoffs.ts'
import type { Inventory } from './inventory/inventory.ts'
import { type Scope, scopeRoutes } from './inventory/scope.ts'
import { loop, type LoopReport } from './loop.ts'
import { type NextReport, planNext } from './next.ts'
import { type ProbeReport, type ProbeRequest, probeRoute } from './probe.ts'
import { refreshAccount, type RefreshReport } from './refresh.ts'
import { type RepairRunReport, type RepairRunRequest, runRepair } from './run.ts'
import { lastTickKey, tick, type TickReport, type TickRequest } from './tick.ts'
import { type Used, type UseRequest, useRoute } from './use.ts'

/** The engine that keeps accounts afloat. */
export interface Repair {
  /** Every route of a scope with its state, evidence, admission and next step. Changes nothing, connects to nothing. */
  explain(scope: Scope, action?: Explanation['action']): Promise<Explanation>
  /** Which route the next run would use, and what stands behind it. */
  next(scope: Scope, argv: readonly string[]): Promise<NextReport>
  probe(request: ProbeRequest): Promise<ProbeReport>
  run(request: RepairRunRequest): Promise<RepairRunReport>
  tick(request: TickRequest): Promise<TickReport>
  loop(request: Parameters<typeof loop>[1]): Promise<LoopReport>
  /** Refreshes the credentials of a scope, where that is ours to do. */
  refresh(scope: Scope): Promise<readonly RefreshReport[]>
  /** Selects a route and lays its credential out for a program. */
  use(request: UseRequest): Promise<Used>
  /** The last tick without its routes, by any process; `null` when there was none. */
  lastTick(): Promise<Omit<TickReport, 'routes'> | null>
  readonly events: EventLog
  readonly handoffs: Handoffs
  readonly inventory: () => Inventory
  readonly context: RepairContext
}

/** What {@link createRepair} needs. */
export interface RepairOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly board: Board
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  /** The guarded way out. */
  readonly fetch: Fetch
  readonly news: RepairContext['news']
  readonly inventory: () => Inventory
  readonly runProgram?: RunProgram
  /** All of standard input, the same however often it is asked for; absent where it is not this process's to read. */
  readonly readInput?: (() => Promise<string>) | undefined
  readonly relay?: RelayAccounts
}

/** Puts the engine together. Opens nothing by itself. */
export function createRepair(options: RepairOptions): Repair {
  const { storage, clock } = options
  const events = createEventLog(storage, clock)
  const handoffs = createHandoffs(storage, events, () => clock.now())
  const context: RepairContext = {
    storage,
    clock,
    logger: options.logger,
    board: options.board,
    events,
    handoffs,
    env: options.env,
    version: options.version,
    fetch: options.fetch,
    runProgram: options.runProgram ?? runCommand,
    readInput: options.readInput,
    news: options.news,
    inventory: options.inventory,
    relay: options.relay ?? null,
  }
  return {
    context,
    events,
    handoffs,
    inventory: options.inventory,
    explain: (scope, action = 'explain') => explainRoutes(context, scope, action),
    next: (scope, argv) => planNext(context, scope, argv),
    probe: (request) => probeRoute(context, request),
    run: (request) => runRepair(context, request),
    tick: (request) => tick(context, request),
    loop: (request) => loop(context, request),
    async refresh(scope) {
      const accounts = new Set(scopeRoutes(context.inventory(), scope).map(({ account }) => account))
      const reports: RefreshReport[] = []
      // One after the other: siblings of one family that are refreshed at once revoke each other.
      for (const account of accounts) reports.push(await refreshAccount(context, account))
      return reports
    },
    use: (request) => useRoute(context, request),
    async lastTick() {
      const row = await storage.db.selectFrom('facts').select('value').where('key', '=', lastTickKey).executeTakeFirst()
      return row ? JSON.parse(row.value) as Omit<TickReport, 'routes'> : null
    },
  }
}
