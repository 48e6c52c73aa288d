import type { Clock } from '../../base/mod.ts'
import type { Keychain, SecretStore } from '../../secrets/mod.ts'
import type { Reading, ReadOptions, SourceSpec } from '../credential.ts'

/** `fetch` as these rooms use it: the guarded one of the egress room, in production. */
export type Fetch = (input: string | URL, init?: RequestInit) => Promise<Response>

/** What sources read from. */
export interface SourceContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  readonly fetch: Fetch
  readonly secrets: SecretStore
  readonly keychain: Keychain | null
  /** Everything on standard input, bounded; only a command of the CLI has one. */
  readonly readStdin?: () => Promise<string>
  /** Logins of ours and of other programs, kept alive. */
  readonly grants: {
    readLogin(vendor: string, binding: string | null, options: ReadOptions): Promise<Reading>
    readForeign(tool: string, path: string | null, options: ReadOptions): Promise<Reading>
  }
}

/** The spec of one kind of source. */
export type SpecOf<Type extends SourceSpec['type']> = Extract<SourceSpec, { type: Type }>

/**
 * Reads one kind of source. Fails with a typed cause that says nothing about the account: `secret.*`,
 * `credential.unavailable`; only logins add `credential.login_required` and `credential.refresh_failed`.
 */
export type ReadSource<Type extends SourceSpec['type']> = (
  spec: SpecOf<Type>,
  context: SourceContext,
  options: ReadOptions,
) => Promise<Reading>
