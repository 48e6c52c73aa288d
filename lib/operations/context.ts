import type { Access, Approvals, Principal } from '../access/mod.ts'
import type { Accounts, ProviderStore } from '../accounts/mod.ts'
import type { Clock, JsonObject } from '../base/mod.ts'
import type { Catalog } from '../catalog/mod.ts'
import type { LiveConfig } from '../config/mod.ts'
import type { ModelDiscovery } from '../upstream/mod.ts'
import type { Logins, LoginSessions } from '../credentials/mod.ts'
import type { Board } from '../liveness/mod.ts'
import type { McpProxy } from '../mcp-proxy/mod.ts'
import type { Paths } from '../platform/mod.ts'
import type { Receipts, Router } from '../routing/mod.ts'
import type { SecretStore } from '../secrets/mod.ts'
import type { Usage } from '../usage/mod.ts'
import type { Repair } from '../repair/mod.ts'
import type { AuditLog } from './audit.ts'
import type { Effect } from './operation.ts'

/** Where a call came in. */
export type Surface = 'trpc' | 'http' | 'mcp' | 'cli'

/** A change about to be made, for the policy to judge. */
export interface GatedCall {
  readonly operation: string
  readonly effect: Effect
  readonly destructive: boolean
  /** Without secrets. */
  readonly input: JsonObject
}

/** What this gateway knows about itself. */
export interface SystemFacts {
  readonly version: string
  readonly runtime: { readonly name: string; readonly version: string }
  readonly startedAt: number
  readonly paths: Paths
  /** Where it listens; `null` for a command that does not. */
  readonly url: string | null
  /** `null` while requests are taken; a sentence while not. */
  notReady(): string | null
  /** Requests in flight. */
  inFlight(): number
}

/** What looking at a home found, one sentence and one remedy a line. */
export interface Examination {
  readonly ok: boolean
  readonly checks: readonly {
    readonly name: string
    readonly status: 'ok' | 'warn' | 'fail'
    readonly found: string
    readonly fix: string | null
  }[]
}

/** The rooms an operation may reach. Types only: loading the operations loads no engine. */
export interface OperationRooms {
  readonly system: SystemFacts
  readonly config: LiveConfig
  readonly approvals: Approvals
  readonly access: Pick<Access, 'issue' | 'list' | 'show' | 'revoke' | 'rotateKey' | 'importTokens' | 'setServerToken'>
  readonly secrets: Pick<SecretStore, 'put' | 'rotate'>
  readonly accounts: Accounts
  readonly providerStore: ProviderStore
  readonly logins: Logins
  readonly loginSessions: LoginSessions
  readonly usage: Usage
  readonly discovery: ModelDiscovery
  readonly board: Pick<Board, 'all' | 'get' | 'reset'>
  readonly router: Pick<Router, 'plan'>
  readonly receipts: Pick<Receipts, 'find'>
  /** Until what another process of this home did is known here; `null` when all is. */
  news(): Promise<void> | null
  mcp(): Promise<McpProxy>
  catalog(): Catalog
  /** Brings in model facts and prices before {@link OperationRooms.catalog} is asked for them. */
  loadFacts(): Promise<void>
  readonly repair: Repair
  /** Looks at this home without changing it. */
  examine(): Promise<Examination>
}

/** Who calls, through what, with which rooms at hand. Made anew for each call; the only code a surface writes itself. */
export interface OperationContext {
  readonly principal: Principal
  readonly surface: Surface
  readonly rooms: OperationRooms
  readonly audit: AuditLog
  readonly clock: Clock
  /** Ends with the caller. */
  readonly signal: AbortSignal | null
  /**
   * Judges a change before it is recorded; throws to stop it.
   *
   * `null` where the caller is the owner at this machine's own command line.
   */
  readonly gate: ((call: GatedCall) => Promise<void>) | null
}
