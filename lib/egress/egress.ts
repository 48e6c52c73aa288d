import { lookup } from 'node:dns/promises'
import { type ByteSource, type Clock, GwError, type Logger, sourceOf, streamOf } from '../base/mod.ts'
import type { Dialer, Dialling, DialReply } from '../platform/mod.ts'
import { addressTable, parseAddress } from './address.ts'
import { decide, decideAddress, type EgressPolicy, type EgressQuestion, hostOf, type Verdict } from './policy.ts'
import type { ProxyFor } from './proxy.ts'

/** Who wants to go there and why; for the rules and the log. */
export interface EgressPurpose {
  /** The provider on whose behalf, where there is one. */
  readonly provider?: string
  /** Whether that provider runs on this machine by its owner's word. */
  readonly local?: boolean
}

/** One outbound request. */
export interface EgressRequest extends EgressPurpose {
  readonly url: URL
  readonly method: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Uint8Array<ArrayBuffer> | null
}

/** What {@link Egress.fetch} takes beside the standard's members. */
export interface EgressFetchInit extends RequestInit, EgressPurpose {
  /** Whole exchange, head and body. Default 30 s. */
  readonly timeoutMs?: number
  /** Bytes of the answer that may be read. Default 4 MiB. */
  readonly maxBytes?: number
}

/** The only way out of the house. */
export interface Egress {
  /**
   * Sends a request if the policy lets it. The address that was judged is the one that is dialled; redirects are never
   * followed.
   *
   * @throws GwError `egress.denied`, through `reply`
   */
  open(request: EgressRequest): Dialling
  /** The same in the shape of `fetch`, for small answers: bounded in time and size. A redirect comes back as it is. */
  fetch(input: string | URL | Request, init?: EgressFetchInit): Promise<Response>
  /** What the policy says to a destination, names looked up. For checking a setting before it is stored. */
  check(url: URL, purpose?: EgressPurpose): Promise<Verdict>
  /** Lays other rules down; connections that are open stay. */
  reload(policy: EgressPolicy): void
  /** Closes every connection, what is under way too. */
  close(): void
}

/** What {@link createEgress} needs. */
export interface EgressOptions {
  readonly policy: EgressPolicy
  readonly dialer: Pick<Dialer, 'dial' | 'close'>
  readonly clock: Clock
  readonly log: Logger
  /** Origins that are answered in this process instead, such as the built-in demo. */
  readonly inside?: ReadonlyMap<string, (request: Request) => Promise<Response>>
  /** Proxies on the way out; default: none. */
  readonly proxyFor?: ProxyFor
  /** All addresses of a name. Default: the system's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>
}

/** How long an answer of the resolver is used. Short: an address that moves is judged again before it is dialled. */
const answerMs = 30_000
/** Destinations whose verdict is remembered. */
const maxRemembered = 1024

interface Known {
  readonly verdict: Verdict
  readonly addresses: readonly string[] | null
  readonly until: number
}

const systemResolve = async (host: string): Promise<readonly string[]> =>
  (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address)

/** The guarded way out: decides, resolves once, dials the address it judged, and reports what it refused. */
export function createEgress(options: EgressOptions): Egress {
  const { dialer, clock, log } = options
  const resolve = options.resolve ?? systemResolve
  const proxyFor = options.proxyFor ?? (() => null)
  const table = addressTable()
  let policy = options.policy
  const known = new Map<string, Known>()
  /** The same by URL object: callers that repeat themselves bring the same one. */
  let knownUrls = new WeakMap<URL, { readonly entry: Known; readonly local: boolean }>()

  function refuse(question: EgressQuestion, purpose: EgressPurpose, verdict: Verdict, ips: readonly string[]): GwError {
    if (verdict.allowed) throw new GwError('internal', 'an allowed destination was refused')
    const host = hostOf(question.url)
    const unknown = verdict.reason.startsWith('dns_')
    const phase = ips.length > 0 || unknown ? 'resolved' : 'url'
    if (unknown) {
      return new GwError('upstream.unreachable', `${question.url.origin} cannot be reached: ${verdict.detail}`, {
        hint: 'look at the network and its name server, or name a proxy: HTTPS_PROXY or egress.proxy',
        details: { provider: purpose.provider ?? null, host, reason: verdict.reason, phase },
      })
    }
    return new GwError(
      'egress.denied',
      `${question.url.origin} is not a place to connect to: ${verdict.detail}`,
      {
        hint: `if you want it, add "${question.url.origin}" to egress.allow_origins`,
        details: {
          code: 'egress_destination_blocked',
          provider: purpose.provider ?? null,
          scheme: question.url.protocol.slice(0, -1),
          host,
          reason: verdict.reason,
          phase,
          resolvedIps: ips,
        },
      },
    )
  }

  /** The verdict on a destination, and the addresses it holds for; `null` addresses leave dialling to the runtime. */
  async function judge(question: EgressQuestion): Promise<{ verdict: Verdict; addresses: readonly string[] | null }> {
    const verdict = decide(question, policy, table)
    const host = hostOf(question.url)
    if (!verdict.allowed) return { verdict, addresses: null }
    if (parseAddress(host)) return { verdict, addresses: [host] }
    // Which address a name has is the proxy's affair: what we would look up is not what it would dial.
    if (proxyFor(question.url) !== null) return { verdict, addresses: null }
    if (!policy.resolveDns) return { verdict, addresses: null }
    let addresses: readonly string[]
    try {
      addresses = await resolve(host)
    } catch (error) {
      const detail = `the name could not be looked up (${(error as { code?: string }).code ?? 'failed'})`
      return { verdict: soft({ allowed: false, reason: 'dns_resolution_failed', detail }), addresses: null }
    }
    if (addresses.length === 0) {
      const detail = 'the name has no address'
      return { verdict: soft({ allowed: false, reason: 'dns_no_answers', detail }), addresses: null }
    }
    for (const text of addresses) {
      const bytes = parseAddress(text)
      const one: Verdict = bytes
        ? decideAddress(bytes, question, policy, table)
        : { allowed: false, reason: 'reserved_ip', detail: 'its address cannot be read' }
      // One bad address among good ones is enough: which of them is dialled must not be the attacker's choice.
      if (!one.allowed) {
        const reason = `resolved_${one.reason}` as Extract<Verdict, { allowed: false }>['reason']
        return { verdict: { allowed: false, reason, detail: one.detail }, addresses }
      }
    }
    return { verdict, addresses }
  }

  const soft = (verdict: Verdict): Verdict => policy.failClosed ? verdict : { allowed: true }

  /** The addresses to dial, from memory or judged now. Throws the refusal. */
  function permit(question: EgressQuestion, purpose: EgressPurpose): Known | Promise<Known> {
    const { url } = question
    const same = knownUrls.get(url)
    if (same !== undefined && same.local === question.local && same.entry.until > clock.monotonic()) return same.entry
    const key = question.local ? `local ${url.origin}` : url.origin
    const hit = known.get(key)
    // What is written in a URL beside its origin matters too: user info is never in an origin.
    if (hit && hit.until > clock.monotonic() && url.username === '' && url.password === '') {
      knownUrls.set(url, { entry: hit, local: question.local })
      return hit
    }
    return judge(question).then(({ verdict, addresses }) => {
      if (!verdict.allowed) {
        const error = refuse(question, purpose, verdict, addresses ?? [])
        log.log('warn', policy.mode === 'enforce' ? 'egress.denied' : 'egress.observed', error.details ?? {})
        if (policy.mode === 'enforce') throw error
      }
      const entry: Known = { verdict, addresses, until: clock.monotonic() + answerMs }
      if (verdict.allowed) {
        if (known.size >= maxRemembered) known.delete(known.keys().next().value!)
        known.set(key, entry)
      }
      return entry
    })
  }

  function open(request: EgressRequest): Dialling {
    const inside = options.inside === undefined ? undefined : options.inside.get(request.url.origin)
    if (inside) return openInside(request, inside)
    const dial = (known: Known | null) =>
      dialer.dial({ ...request, addresses: known?.addresses ?? null, via: proxyFor(request.url) })
    if (policy.mode === 'off') return dial(null)
    const question = { url: request.url, local: request.local ?? false }
    const permitted = permit(question, request)
    if (!(permitted instanceof Promise)) return dial(permitted)
    let cancelled = false
    let dialling: Dialling | null = null
    return {
      reply: permitted.then((entry) => {
        if (cancelled) throw new GwError('cancelled', 'the request was given up')
        dialling = dial(entry)
        return dialling.reply
      }),
      cancel() {
        cancelled = true
        dialling?.cancel()
      },
    }
  }

  async function guardedFetch(input: string | URL | Request, init: EgressFetchInit = {}): Promise<Response> {
    const request = new Request(input, { ...init, redirect: 'manual' })
    const body = request.body ? new Uint8Array(await request.arrayBuffer()) : null
    const { provider, local, timeoutMs = 30_000, maxBytes = 4 * 1024 * 1024 } = init
    const headers = [...request.headers] as [string, string][]
    headers.push(['accept-encoding', 'identity'])
    const dialling = open({
      url: new URL(request.url),
      method: request.method,
      headers: headers.filter(([name], i) => name !== 'accept-encoding' || i === headers.length - 1),
      body,
      ...(provider === undefined ? {} : { provider }),
      ...(local === undefined ? {} : { local }),
    })
    let late = false
    const timer = setTimeout(() => {
      late = true
      dialling.cancel()
    }, timeoutMs)
    const onAbort = () => dialling.cancel()
    init.signal?.addEventListener('abort', onAbort, { once: true })
    const done = () => {
      clearTimeout(timer)
      init.signal?.removeEventListener('abort', onAbort)
    }
    try {
      init.signal?.throwIfAborted()
      const reply = await dialling.reply
      return responseOf(reply, maxBytes, done)
    } catch (error) {
      done()
      if (late) throw new GwError('upstream.timeout', `${new URL(request.url).host} did not answer in ${timeoutMs} ms`)
      init.signal?.throwIfAborted()
      throw error
    }
  }

  return {
    open,
    fetch: guardedFetch,
    check: async (url, purpose = {}) => (await judge({ url, local: purpose.local ?? false })).verdict,
    reload(next) {
      policy = next
      known.clear()
      knownUrls = new WeakMap()
    },
    close: () => dialer.close(),
  }
}

/** A request that never leaves the process. */
function openInside(request: EgressRequest, answer: (request: Request) => Promise<Response>): Dialling {
  const abort = new AbortController()
  const reply = answer(
    new Request(request.url, {
      method: request.method,
      headers: request.headers as [string, string][],
      body: request.body,
      signal: abort.signal,
    }),
  ).then((response) => ({
    status: response.status,
    headers: response.headers,
    length: null,
    body: sourceOf(response.body),
  }))
  return { reply, cancel: () => abort.abort() }
}

/** Statuses whose Response may have no body. */
const bodiless = new Set([204, 205, 304])

function responseOf(reply: DialReply, maxBytes: number, done: () => void): Response {
  const headers = new Headers()
  reply.headers.forEach((value, name) => {
    if (name !== 'set-cookie') headers.append(name, value)
  })
  if (bodiless.has(reply.status)) {
    reply.body.cancel()
    done()
    return new Response(null, { status: reply.status, headers })
  }
  return new Response(streamOf(bounded(reply.body, maxBytes, done)), { status: reply.status, headers })
}

/** The same bytes, broken off with `upstream.invalid` when there are more than the bound. */
function bounded(source: ByteSource, maxBytes: number, done: () => void): ByteSource {
  let size = 0
  return {
    start: (sink) =>
      source.start({
        chunk(bytes) {
          size += bytes.length
          if (size <= maxBytes) return sink.chunk(bytes)
          source.cancel()
          done()
          sink.fail(new GwError('upstream.invalid', `the answer is larger than ${maxBytes} bytes`))
        },
        end() {
          done()
          sink.end()
        },
        fail(error) {
          done()
          sink.fail(error)
        },
      }),
    pause: () => source.pause(),
    resume: () => source.resume(),
    cancel() {
      done()
      source.cancel()
    },
  }
}
