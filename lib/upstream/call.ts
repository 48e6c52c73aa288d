import type { ByteSource } from '../base/mod.ts'
import type { Target } from '../accounts/mod.ts'
import type { Credential } from '../credentials/mod.ts'
import type { ReplyHeaders } from '../platform/mod.ts'
import type { UpstreamFailure } from '../protocol/mod.ts'
import type { Surface } from './endpoint.ts'
import type { Field } from './headers.ts'

/** A path at a provider that is no surface of a protocol. */
export interface UpstreamPath {
  readonly path: string
  /** What stands between the base URL and the path; `${NAME}` in it is taken from the environment. */
  readonly prefix?: string
}

/** One call of one target. */
export interface UpstreamCall {
  readonly target: Target
  readonly credential: Credential
  /** What is asked for, or a path of the provider's API for raw pass-through. */
  readonly surface: Surface | UpstreamPath
  readonly method: string
  /** The caller's query with its `?`, or empty. */
  readonly search: string
  /** Fields that may go upstream, see `forwardHeaders`. The call owns the array. */
  readonly headers: Field[]
  readonly body: Uint8Array<ArrayBuffer> | null
}

/** An answer with a success status, its body on the way. */
export interface UpstreamReply {
  readonly ok: true
  readonly status: number
  readonly headers: ReplyHeaders
  readonly length: number | null
  readonly body: ByteSource
}

/** A call that was not served. */
export interface UpstreamRefusal {
  readonly ok: false
  readonly failure: UpstreamFailure
  /** The upstream's own answer, with our credential cut out, where it gave one. */
  readonly answer:
    | { readonly status: number; readonly headers: ReplyHeaders; readonly body: Uint8Array<ArrayBuffer> }
    | null
}
