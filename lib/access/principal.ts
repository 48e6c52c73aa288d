import type { PrincipalId, TokenId } from '../base/mod.ts'
import type { Scope } from './scope.ts'

/** Who acts. */
export interface Principal {
  readonly id: PrincipalId
  /** `operator` is the owner at this machine's own command line; `anonymous` only where D2's switch allows it. */
  readonly kind: 'operator' | 'client' | 'anonymous'
  /** The token it came with; `null` for the operator. */
  readonly token: TokenId | null
  readonly label: string
  readonly scopes: ReadonlySet<Scope>
  /** Model patterns it may call; `null` is all. */
  readonly models: readonly string[] | null
  /** Providers it may reach; `null` is all. */
  readonly providers: readonly string[] | null
  /** Model names that mean others for this token. */
  readonly aliases: Readonly<Record<string, string>>
  /** Pins its requests to one account. */
  readonly account: string | null
  /** Epoch ms; `null` never. */
  readonly expiresAt: number | null
}
