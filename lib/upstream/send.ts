import { type ByteSource, cutCredential, GwError, isGwError, readAll, redact } from '../base/mod.ts'
import type { Clock } from '../base/mod.ts'
import type { Target } from '../accounts/mod.ts'
import type { AuthScheme, Deployment, Provider } from '../catalog/mod.ts'
import { assertAudience, type Credential, originsOf } from '../credentials/mod.ts'
import type { Egress } from '../egress/mod.ts'
import type { Dialling, DialReply, ReplyHeaders } from '../platform/mod.ts'
import type { UpstreamFailure } from '../protocol/mod.ts'
import { baseOf, endpointUrl, type Environment, type Surface, urlOf } from './endpoint.ts'
import { failureOf, type ReadFailure, readHttpFailure } from './failure.ts'
import { type Field, setField, withoutCredential } from './headers.ts'
import { inflate } from './inflate.ts'
import { sign } from './signers/mod.ts'

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

/** A call under way. */
export interface Sending {
  readonly reply: Promise<UpstreamReply | UpstreamRefusal>
  /** Gives up in any phase: the connection closes, and the body of an answer ends. */
  cancel(): void
}

/** Sends calls to targets. */
export interface Upstream {
  send(call: UpstreamCall): Sending
}

/** What {@link createUpstream} needs. */
export interface UpstreamOptions {
  readonly egress: Pick<Egress, 'open'>
  readonly provider: (id: string) => Provider | null
  readonly environment: Environment
  readonly clock: Clock
  /** The base URL that its owner bound an account to, over its provider's. */
  readonly baseUrl?: (account: string) => string | null
  /** How error answers are read, by protocol. */
  readonly readFailure?: (target: Target) => ReadFailure
}

/** Where calls of one credential to one surface go, and how they are signed there. */
interface Place {
  readonly surface: UpstreamCall['surface']
  readonly deployment: Deployment
  readonly row: Provider | null
  readonly bound: string | null
  /** Shared by calls: nobody changes it. */
  readonly url: URL
  readonly scheme: AuthScheme
}

/** How much of an error's body is read. */
const maxErrorBytes = 64 * 1024

/** The sender: endpoint, signature, egress, and failures as values. */
export function createUpstream(options: UpstreamOptions): Upstream {
  const { egress, provider, environment, clock } = options
  /** The last place each credential was allowed to go to: requests repeat themselves, and URLs are dear. */
  const places = new WeakMap<Credential, Place>()

  /** Where a call goes. @throws GwError `credential.audience`, `request.unsupported`, `config.invalid` */
  function placeOf({ target, credential, surface, search }: UpstreamCall): Place {
    const row = provider(target.provider)
    const bound = options.baseUrl?.(target.account) ?? null
    const known = search === '' ? places.get(credential) : undefined
    if (
      known !== undefined && known.surface === surface && known.deployment === target.deployment &&
      known.row === row && known.bound === bound
    ) return known
    const prefix = typeof surface === 'object' ? surface.prefix ?? '' : ''
    const deployment = bound || prefix !== ''
      ? { ...target.deployment, baseUrl: (bound ?? target.deployment.baseUrl).replace(/\/+$/, '') + prefix }
      : target.deployment
    const url = typeof surface === 'string'
      ? endpointUrl(row, deployment, surface, search, environment)
      : urlOf(row, deployment, surface.path, search, environment)
    assertAudience(credential.audience.length > 0 ? credential : { ...credential, audience: home(row, bound) }, url)
    const scheme = deployment.auth ?? row?.auth ?? { type: 'bearer' }
    const place: Place = { surface, deployment: target.deployment, row, bound, url, scheme }
    // A key in the query is written into the URL of each call.
    if (search === '' && typeof surface === 'string' && scheme.type !== 'query') places.set(credential, place)
    return place
  }

  function request(
    call: UpstreamCall,
  ): { url: URL; headers: Field[]; row: Provider | null; signed: void | Promise<void> } {
    const { credential, headers } = call
    const { url, row, scheme } = placeOf(call)
    if (row?.headers) {
      for (const [name, value] of Object.entries(row.headers)) setField(headers, name.toLowerCase(), value)
    }
    // Compressed answers would have to be inflated to find the usage in them, and may be bombs.
    setField(headers, 'accept-encoding', 'identity')
    return {
      url,
      headers,
      row,
      signed: sign({ method: call.method, url, headers, body: call.body }, credential, scheme),
    }
  }

  /** Where a credential belongs that names no origin itself: its account's own base URL, else its provider's. */
  function home(row: Provider | null, bound: string | null | undefined): string[] {
    if (bound) return originsOf([bound])
    return originsOf((row?.deployments ?? []).map(({ baseUrl }) => {
      try {
        return baseOf(baseUrl, environment)
      } catch {
        // A deployment whose variable is not set is no place to send anything to.
        return null
      }
    }))
  }

  /** An answer's head, read. @throws GwError `upstream.invalid` for a content coding nobody here knows */
  function receive(call: UpstreamCall, reply: DialReply): UpstreamReply | Promise<UpstreamRefusal> {
    const coding = reply.headers.get('content-encoding')
    const coded = coding !== null && coding !== 'identity' && coding !== ''
    const body = coded ? inflate(reply.body, coding) : reply.body
    if (body === null) {
      reply.body.cancel()
      throw new GwError(
        'upstream.invalid',
        `the provider answered in the unknown content coding ${redact(coding!, 40)}`,
      )
    }
    const { status, headers } = reply
    if (status >= 200 && status < 300) return { ok: true, status, headers, length: coded ? null : reply.length, body }
    return refused(call, reply, body)
  }

  async function refused(call: UpstreamCall, reply: DialReply, body: ByteSource): Promise<UpstreamRefusal> {
    const read = (options.readFailure?.(call.target)) ?? readHttpFailure
    if (reply.status >= 300 && reply.status < 400) {
      reply.body.cancel()
      const failure = failureOf('malformed', `the provider answered with a redirect (${reply.status})`, 'provider')
      return { ok: false, failure, answer: null }
    }
    const raw = await readAll(body, maxErrorBytes) ?? new Uint8Array()
    const clean = withoutSecret(raw, call.credential)
    const headers = withoutCredential(reply.headers, call.credential.secret)
    const failure = read({ status: reply.status, headers, body: clean, now: clock.now() })
    return { ok: false, failure, answer: { status: reply.status, headers, body: clean } }
  }

  class Call implements Sending {
    readonly reply: Promise<UpstreamReply | UpstreamRefusal>
    #dialling: Dialling | null = null
    #cancelled = false

    constructor(call: UpstreamCall) {
      this.reply = this.#run(call)
    }

    cancel(): void {
      this.#cancelled = true
      this.#dialling?.cancel()
    }

    async #run(call: UpstreamCall): Promise<UpstreamReply | UpstreamRefusal> {
      try {
        const { url, headers, row, signed } = request(call)
        if (signed) await signed
        if (this.#cancelled) throw new GwError('cancelled', 'the call was given up')
        const dialling = this.#dialling = egress.open({
          url,
          method: call.method,
          headers,
          body: call.body,
          provider: call.target.provider,
          local: row?.local ?? false,
        })
        const received = receive(call, await dialling.reply)
        return received instanceof Promise ? await received : received
      } catch (error) {
        return refusalOf(error)
      }
    }
  }

  return { send: (call) => new Call(call) }
}

/** What stopped a call before it had an answer, as a failure. */
function refusalOf(error: unknown): UpstreamRefusal {
  const message = isGwError(error) ? error.message : 'the call failed inside gw'
  const failure = (() => {
    switch (isGwError(error) ? error.code : null) {
      case 'cancelled':
        return failureOf('cancelled', message, 'request')
      case 'upstream.unreachable':
        return failureOf('unreachable', message, 'provider')
      case 'upstream.timeout':
        return failureOf('timeout', message, 'provider')
      case 'upstream.invalid':
        return failureOf('malformed', message, 'provider')
      case 'request.unsupported':
        return { ...failureOf('entitlement', message, 'request') }
      case null:
        throw error
      default:
        return { ...failureOf('local', remedied(error as GwError), 'local'), code: (error as GwError).code }
    }
  })()
  return { ok: false, failure, answer: null }
}

/** What stopped gw itself, with what its owner can do about it: a failure has room for one sentence. */
const remedied = ({ message, hint }: GwError): string => hint ? `${message} (${hint})` : message

/** An upstream may echo what we sent: our credential never reaches the caller in its error text. */
function withoutSecret(bytes: Uint8Array<ArrayBuffer>, credential: Credential): Uint8Array<ArrayBuffer> {
  const text = new TextDecoder().decode(bytes)
  const cut = cutCredential(text, credential.secret)
  return cut === text ? bytes : new TextEncoder().encode(cut)
}
