import { createHash, timingSafeEqual } from 'node:crypto'
import { GwError, hopByHop, isGwError, type Logger, type Secret } from '../base/mod.ts'
import { assertAudience, type Fetch } from '../credentials/mod.ts'
import type { HttpServer, Platform } from '../platform/mod.ts'
import type { LlmBridge, ShowLogin } from './bridge.ts'
import { assertConfigured } from './settings.ts'

/** A running proxy. */
export interface LlmProxy {
  readonly port: number
  /** What OpenAI-style tools are given as base URL. */
  readonly url: string
  /** Resolves when somebody asked it to stop through its control path. */
  readonly stopped: Promise<void>
  stop(): Promise<void>
}

/** How to start a proxy. */
export interface LlmProxyOptions {
  readonly platform: Platform
  readonly logger: Logger
  readonly fetch: Fetch
  readonly bridge: LlmBridge
  readonly show?: ShowLogin
  /** Overrides the configured port; 0 is any free one. */
  readonly port?: number
}

/** Path at which the owner of the key asks for status (GET) and end (DELETE). */
export const controlPath = '/.gw/llm-proxy'

const tokenLimitMs = 180_000
const maxBodyBytes = 64 * 1024 * 1024
const drainMs = 5_000
/** What the far side must not see, or we write ourselves. */
const dropped = new Set<string>([
  ...hopByHop,
  'host',
  'content-length',
  'authorization',
  'x-api-key',
  'expect',
])

/**
 * Starts the proxy on 127.0.0.1: it takes this machine's key from tools and sends the gateway's token on instead.
 *
 * @throws GwError `config.invalid` without a connection, `server.port_in_use`
 */
export async function startLlmProxy(options: LlmProxyOptions): Promise<LlmProxy> {
  const { platform, bridge } = options
  const settings = await bridge.settings()
  assertConfigured(settings)
  const gateway = new URL(settings.gateway_url)
  const key = await bridge.proxyKey()
  const port = options.port ?? bridge.proxyPort(settings)
  let end: () => void = () => {}
  const stopped = new Promise<void>((resolve) => end = resolve)
  let server: HttpServer
  try {
    server = await platform.serve({
      host: '127.0.0.1',
      port,
      maxBodyBytes,
      fetch: (request) => answer(request, { options, gateway, key, end }),
    })
  } catch (cause) {
    throw new GwError('server.port_in_use', `port ${port} on 127.0.0.1 is in use`, {
      hint: 'gw llm proxy status; or gw llm config set --proxy-port N',
      cause,
    })
  }
  return {
    port: server.port,
    url: `http://127.0.0.1:${server.port}/v1`,
    stopped,
    async stop() {
      const timer = setTimeout(() => void server.stop(true), drainMs)
      await server.stop(false)
      clearTimeout(timer)
    },
  }
}

interface Serving {
  readonly options: LlmProxyOptions
  readonly gateway: URL
  readonly key: Secret
  readonly end: () => void
}

async function answer(request: Request, serving: Serving): Promise<Response> {
  // Before anything is asked of anybody: a page of the web must not reach the token through a name of its own.
  const host = (request.headers.get('host') ?? '').replace(/:\d+$/, '').toLowerCase()
  if (!/^(localhost|\[::1\]|127(\.\d{1,3}){3})$/.test(host)) return failure(403, 'forbidden', 'forbidden', 'forbidden')
  if (!holdsKey(request, serving.key)) {
    return failure(401, 'this proxy needs the key of this installation', 'authentication_error', 'key_required')
  }
  const url = new URL(request.url)
  if (url.pathname === controlPath) return control(request, serving)
  try {
    const body = request.body === null ? null : new Uint8Array(await request.arrayBuffer())
    const token = await tokenWithin(serving, {})
    const first = await forward(request, url, body, token, serving)
    if (first.status !== 401) return pass(first)
    // The gateway no longer likes a token that looked good: one refresh, one more try, whatever comes of it.
    const fresh = await tokenWithin(serving, { rejected: token })
    if (fresh.reveal() === token.reveal()) return pass(first)
    await first.body?.cancel()
    return pass(await forward(request, url, body, fresh, serving))
  } catch (error) {
    return refuse(error, serving)
  }
}

function holdsKey(request: Request, key: Secret): boolean {
  const given = request.headers.get('authorization')?.replace(/^bearer\s+/i, '') ??
    request.headers.get('x-api-key') ?? request.headers.get('x-goog-api-key') ?? ''
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(key.reveal()))
}

function control(request: Request, { end }: Serving): Response {
  if (request.method === 'DELETE') setTimeout(end, 0)
  else if (request.method !== 'GET') return failure(405, 'only GET and DELETE', 'invalid_request_error', 'method')
  return Response.json({ ok: true, pid: process.pid, stopping: request.method === 'DELETE' })
}

/** The proxy's own lifetime bounds a login: a client that leaves does not end it. */
async function tokenWithin({ options }: Serving, read: { rejected?: Secret }): Promise<Secret> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new GwError('login.timeout', 'no token within 3 minutes')), tokenLimitMs)
  })
  const token = options.bridge.token({ ...read, ...(options.show ? { show: options.show } : {}) })
  return await Promise.race([token, late]).finally(() => clearTimeout(timer))
}

async function forward(
  request: Request,
  url: URL,
  body: Uint8Array<ArrayBuffer> | null,
  token: Secret,
  { options, gateway }: Serving,
): Promise<Response> {
  const target = new URL(gateway)
  target.pathname = `${gateway.pathname.replace(/\/$/, '')}${url.pathname}`
  target.search = url.search
  assertAudience({ kind: 'auth-token', audience: [gateway.origin] }, target)
  const named = new Set((request.headers.get('connection') ?? '').toLowerCase().split(',').map((name) => name.trim()))
  const headers = new Headers()
  request.headers.forEach((value, name) => {
    if (!dropped.has(name) && !named.has(name) && name !== 'x-goog-api-key') headers.append(name, value)
  })
  headers.set('authorization', `Bearer ${token.reveal()}`)
  try {
    return await options.fetch(target, {
      method: request.method,
      headers,
      redirect: 'manual',
      signal: request.signal,
      ...(body && body.length > 0 ? { body } : {}),
    })
  } catch (cause) {
    throw new GwError('upstream.unreachable', 'upstream error', { cause })
  }
}

/** Status, headers and bytes as they come; nothing is held back, so events flow at once. */
function pass(response: Response): Response {
  const headers = new Headers()
  response.headers.forEach((value, name) => {
    // The client behind fetch may have decoded the body: its old length and coding would be wrong then.
    if (!dropped.has(name) && name !== 'content-encoding' && name !== 'set-cookie') headers.append(name, value)
  })
  return new Response(response.body, { status: response.status, headers })
}

function refuse(error: unknown, { options }: Serving): Response {
  if (isGwError(error) && error.code === 'credential.login_required') {
    return failure(
      401,
      error.hint ? `${error.message}: ${error.hint}` : error.message,
      'authentication_error',
      'token_required',
    )
  }
  options.logger.log('warn', 'llm_proxy.failed', { error })
  if (isGwError(error) && error.code === 'upstream.unreachable') {
    return failure(502, 'upstream error', 'server_error', null)
  }
  return failure(502, 'LLM gateway token fetch failed', 'server_error', null)
}

function failure(status: number, message: string, type: string, code: string | null): Response {
  return Response.json({ error: { message, type, ...(code ? { code } : {}) } }, { status })
}
