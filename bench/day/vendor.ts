import { demoUpstream } from '../../lib/demo/mod.ts'

/** What a vendor does to one call. */
export type Fault = 'none' | 'rate_limited' | 'overloaded' | 'server_error' | 'reset' | 'cut'

/** One call as the vendor saw it. */
export interface Call {
  /** Which of the day's requests it was for. */
  readonly tag: string
  readonly key: string
  /** Epoch milliseconds. */
  readonly at: number
  fault: Fault | 'revoked'
  /** How it ended: `served` to its last byte, `left` by its caller, or as the fault says. */
  end: 'open' | 'served' | 'left' | 'fault'
  /** Output tokens that the answer named; `null` when it came to none. */
  outputTokens: number | null
}

/** A time in which a key was worth nothing, in epoch milliseconds. */
export interface Outage {
  readonly key: string
  readonly from: number
  until: number
}

/** Every vendor of the day in one server, and its own books. */
export interface Vendor extends AsyncDisposable {
  readonly url: string
  readonly calls: readonly Call[]
  readonly outages: readonly Outage[]
  /** Tokens refreshed so far, and uses of a refresh token that was spent already. */
  readonly refreshes: { count: number; reused: number }
  readonly toolCalls: { count: number }
  revoke(key: string): void
  restore(key: string): void
}

/** Share of calls that go wrong. */
const faultShare = 0.01
const faults: readonly Fault[] = ['rate_limited', 'overloaded', 'server_error', 'reset', 'cut']
const accessSeconds = 60
/** How long an account waits that was told to slow down. */
export const waitSeconds = 1

/** Starts the vendors on a free port of 127.0.0.1. */
export function startVendor(pieceDelayMs: number): Vendor {
  const demo = demoUpstream({ pieceDelayMs })
  const calls: Call[] = []
  const outages: Outage[] = []
  const revoked = new Map<string, Outage>()
  const refreshes = { count: 0, reused: 0 }
  const toolCalls = { count: 0 }
  let refreshToken = 'day-refresh-0'

  async function model(request: Request): Promise<Response> {
    const key = (request.headers.get('authorization') ?? request.headers.get('x-api-key') ?? '').replace('Bearer ', '')
    const text = await request.text()
    const tag = /day-\d+/.exec(text)?.[0] ?? 'none'
    const fault = Math.random() < faultShare ? faults[Math.floor(Math.random() * faults.length)]! : 'none'
    const call: Call = {
      tag,
      key,
      at: Date.now(),
      fault: revoked.has(key) ? 'revoked' : fault,
      end: 'open',
      outputTokens: null,
    }
    // What gw asks for itself (is a key alive again?) is no work of the day.
    if (tag !== 'none') calls.push(call)
    if (call.fault === 'revoked') return refusal(call, 401, 'invalid_api_key')
    if (fault === 'rate_limited') {
      return refusal(call, 429, 'rate_limit_exceeded', { 'retry-after': String(waitSeconds) })
    }
    if (fault === 'overloaded') return refusal(call, 529, 'overloaded_error')
    if (fault === 'server_error') return refusal(call, 500, 'server_error')
    const body = { ...JSON.parse(text) as object, model: 'demo-small' }
    const answer = await demo.fetch(
      new Request(request.url, { method: 'POST', headers: request.headers, body: JSON.stringify(body) }),
    )
    return new Response(watched(answer.body!, call), { status: answer.status, headers: answer.headers })
  }

  /** The same body, with a note of how it ended. */
  function watched(body: ReadableStream<Uint8Array>, call: Call): ReadableStream<Uint8Array> {
    const reader = body.getReader()
    const utf8 = new TextDecoder()
    let text = ''
    let pieces = 0
    return new ReadableStream({
      async pull(controller) {
        const { done, value } = await reader.read()
        if (done) {
          call.end = 'served'
          call.outputTokens = lastCount(text)
          return controller.close()
        }
        const breaksNow = call.fault === 'reset' ? pieces === 0 : call.fault === 'cut' && pieces === 6
        pieces++
        if (breaksNow) {
          call.end = 'fault'
          await reader.cancel().catch(() => {})
          return controller.error(new Error('the vendor broke off'))
        }
        text = (text + utf8.decode(value, { stream: true })).slice(-20_000)
        controller.enqueue(value)
      },
      cancel(reason) {
        if (call.end === 'open') call.end = 'left'
        return reader.cancel(reason).catch(() => {})
      },
    })
  }

  async function token(request: Request): Promise<Response> {
    const form = new URLSearchParams(await request.text())
    if (form.get('refresh_token') !== refreshToken) {
      refreshes.reused++
      return Response.json({ error: 'invalid_grant' }, { status: 400 })
    }
    refreshToken = `day-refresh-${++refreshes.count}`
    return Response.json({
      access_token: `day-login-${refreshes.count}`,
      refresh_token: refreshToken,
      token_type: 'Bearer',
      expires_in: accessSeconds,
    })
  }

  async function tools(request: Request): Promise<Response> {
    if (request.method !== 'POST') return new Response(null, { status: 405 })
    const message = await request.json() as { id?: number; method: string; params?: { arguments?: unknown } }
    if (message.id === undefined) return new Response(null, { status: 202 })
    const result = (value: object) => Response.json({ jsonrpc: '2.0', id: message.id, result: value })
    if (message.method === 'initialize') {
      return result({
        protocolVersion: '2025-06-18',
        capabilities: { tools: {} },
        serverInfo: { name: 'day', version: '1' },
      })
    }
    if (message.method === 'tools/list') {
      return result({ tools: [{ name: 'echo', description: 'Says it again', inputSchema: { type: 'object' } }] })
    }
    if (message.method !== 'tools/call') return result({})
    toolCalls.count++
    return result({ content: [{ type: 'text', text: JSON.stringify(message.params?.arguments ?? {}) }] })
  }

  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    development: false,
    fetch(request) {
      const { pathname } = new URL(request.url)
      if (pathname === '/token') return token(request)
      if (pathname === '/mcp') return tools(request)
      return request.method === 'POST' ? model(request) : demo.fetch(request)
    },
    error: () => new Response(null, { status: 500 }),
  })
  return {
    url: server.url.origin,
    calls,
    outages,
    refreshes,
    toolCalls,
    revoke(key) {
      const outage = { key, from: Date.now(), until: Infinity }
      revoked.set(key, outage)
      outages.push(outage)
    },
    restore(key) {
      const outage = revoked.get(key)
      if (outage) outage.until = Date.now()
      revoked.delete(key)
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

function refusal(call: Call, status: number, code: string, headers: Record<string, string> = {}): Response {
  call.end = 'fault'
  const error = { type: code, code, message: `planted: ${code}` }
  return Response.json({ type: 'error', error }, { status, headers })
}

/** The last count of output tokens that an answer of any protocol names. */
function lastCount(text: string): number | null {
  const all = [...text.matchAll(/"(?:completion_tokens|output_tokens)":\s*(\d+)/g)]
  return all.length === 0 ? null : Number(all.at(-1)![1])
}
