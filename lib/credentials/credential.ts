import type { Secret } from '../base/mod.ts'

/** Where a credential comes from, as written in the config or stored with an account. Holds no secret itself. */
export type SourceSpec =
  | { readonly type: 'env'; readonly variable: string }
  | { readonly type: 'file'; readonly path: string }
  /** An argv array, never a shell line; prints exactly one token. */
  | {
    readonly type: 'command'
    readonly argv: readonly string[]
    readonly cacheTtlMs: number
    readonly timeoutMs: number
  }
  /** The encrypted store of this home, by reference. */
  | { readonly type: 'store'; readonly ref: string }
  | { readonly type: 'keychain'; readonly service: string; readonly account: string }
  | { readonly type: 'sops'; readonly path: string; readonly key?: string }
  | { readonly type: 'age'; readonly path: string; readonly identity: string }
  /** A login of ours, refreshed by us: `<vendor>[.<binding>]`. */
  | { readonly type: 'login'; readonly vendor: string; readonly binding: string | null }
  /** Another program's own login file or keychain item, shared with it. */
  | { readonly type: 'foreign'; readonly tool: string; readonly path: string | null }
  | { readonly type: 'none' }

/** Something that can be laid on a request. */
export interface Credential {
  /** `api-key` and `auth-token` differ where a provider takes both (`x-api-key` or bearer). */
  readonly kind: 'api-key' | 'auth-token' | 'aws' | 'none'
  readonly secret: Secret
  /** Sent beside the secret where the provider wants it (ChatGPT's account header). */
  readonly accountId: string | null
  /** Epoch ms; `null` when it does not expire or nobody knows. */
  readonly expiresAt: number | null
  /** Origins it may be sent to; empty means those of its provider's deployments. Sending it elsewhere is an error. */
  readonly audience: readonly string[]
  /** Who it is, for telling two accounts of one person apart: a hash, never the identity itself. */
  readonly identity: string | null
}
