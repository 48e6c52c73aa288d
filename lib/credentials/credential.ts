import type { Secret } from '../base/mod.ts'

/** Where a credential comes from, as written in the config or stored with an account. Holds no readable secret. */
export type SourceSpec =
  /** A variable, and what is read when it is not set. */
  | {
    readonly type: 'env'
    readonly variable: string
    readonly otherwise?: { readonly type: 'store'; readonly ref: string }
  }
  /** A value written in the config file itself. */
  | { readonly type: 'literal'; readonly value: Secret }
  /** A file that holds one token, or a JSON document with one; a folder is searched for the usual names. */
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
  /** `identity` is a file, or an age secret key itself. */
  | { readonly type: 'age'; readonly path: string; readonly identity: string }
  /** One token on the standard input of this process, read once. */
  | { readonly type: 'stdin' }
  /** AWS keys: from the environment, or from a profile of the shared credentials file. */
  | { readonly type: 'aws'; readonly profile: string | null }
  /** A Google key file (service account or authorized user) that access tokens are minted from. */
  | { readonly type: 'google'; readonly path: string; readonly scope?: string }
  /** A login of ours, refreshed by us: `<vendor>[.<binding>]`. */
  | { readonly type: 'login'; readonly vendor: string; readonly binding: string | null }
  /** Another program's own login file or keychain item, shared with it. */
  | { readonly type: 'foreign'; readonly tool: string; readonly path: string | null }
  | { readonly type: 'none' }

/** Where the id that is sent beside a token comes from. */
export type AccountIdSpec =
  | { readonly type: 'value'; readonly value: string }
  | { readonly type: 'env'; readonly variable: string }
  | { readonly type: 'command'; readonly argv: readonly string[] }

/** How a secret is laid on a request: `api-key` and `auth-token` differ where a provider takes both. */
export type CredentialKind = 'api-key' | 'auth-token' | 'aws' | 'none'

/** Something that can be laid on a request. */
export interface Credential {
  readonly kind: CredentialKind
  /** The key or token; for `aws` a JSON object with `accessKeyId`, `secretAccessKey` and maybe `sessionToken`. */
  readonly secret: Secret
  /** Sent beside the secret where the provider wants it (ChatGPT's account header). */
  readonly accountId: string | null
  /** Epoch ms; `null` when it does not expire or nobody knows. */
  readonly expiresAt: number | null
  /** Origins it may be sent to, and no others: see `assertAudience`. */
  readonly audience: readonly string[]
  /** Who it is, for telling two accounts of one person apart: a hash, never the identity itself. */
  readonly identity: string | null
  /** Where the vendor of the login says that its API is, when that differs from login to login. */
  readonly baseUrl?: string | null
}

/** What a source gave, before an account adds what it knows. */
export interface Reading {
  readonly secret: Secret
  readonly kind: CredentialKind
  readonly accountId: string | null
  readonly expiresAt: number | null
  /** Origins named by the vendor of a login; empty where the account's provider decides. */
  readonly audience: readonly string[]
  readonly identity: string | null
  readonly baseUrl?: string | null
  /** Epoch ms until which it need not be read again. */
  readonly freshUntil: number
}

/** How a source is read. */
export interface ReadOptions {
  readonly signal?: AbortSignal
  /** Ask the origin again although what is remembered still looks good: after the provider refused it. */
  readonly force?: boolean
  /** The secret that the provider refused: nothing is refreshed when it has been replaced since. */
  readonly rejected?: Secret
}
