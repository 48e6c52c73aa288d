import type { Account } from '../accounts/mod.ts'
import type { Capability } from '../catalog/mod.ts'
import type { ProtocolId } from '../protocol/mod.ts'
import type { RouteBody } from './body.ts'
import type { Controls } from './controls.ts'
import type { StrategyName } from './strategies/mod.ts'

/** One request that wants a target. */
export interface RouteCall {
  readonly capability: Capability
  /** The protocol the caller speaks; `null` where there is none (raw proxy). */
  readonly protocol: ProtocolId | null
  /** Model reference as the caller wrote it. */
  readonly model: string | null
  readonly headers: Headers
  /** The JSON body, raw or with its fields found; read for controls, session and ciphertext only. */
  readonly body: RouteBody | Uint8Array | string | null
  readonly principal: {
    readonly id: string
    readonly models: readonly string[] | null
    readonly providers: readonly string[] | null
    readonly aliases: Readonly<Record<string, string>>
    readonly account: string | null
  }
  /** Controls that somebody read already; absent means they are read from the body. */
  readonly controls?: Controls | null
  readonly inputTokens?: number | null
  /** Accounts for this request alone, such as one made of a key that the caller brought. */
  readonly extraAccounts?: readonly Account[]
  /** Strategy for this request alone. */
  readonly strategy?: StrategyName
}
