import { GwError, once } from '../lib/base/mod.ts'
import type { Gateway } from '../lib/create-gateway.ts'
import { dialectOf, errorResponse, pathOf, type Peer, plainPath, shown, surfaces } from '../lib/gateway/mod.ts'
import type { Door, McpHandler } from './door.ts'
import { type HostGate, hostGate } from './hosts.ts'
import { healthAnswer } from './health.ts'
import { nothingAt } from './nothing.ts'

/** What a listener is given. */
export interface App {
  /** The web-standard function. */
  readonly answer: (request: Request, peer: Peer) => Response | Promise<Response>
  /** Gets ready what the first request beyond the model endpoints would otherwise wait for. */
  readonly warm: () => Promise<void>
}

/** What the app is put together with besides the gateway. */
export interface AppOptions {
  /** Serves `/mcp`; the MCP server is a front door of its own. */
  readonly mcp?: McpHandler | null
}

/**
 * Puts the surface together: host and origin, then the model endpoints, then everything else through Elysia.
 *
 * The model endpoints are dispatched before Elysia, because its router and context cost more than what gw itself adds to
 * a request (12 of some 40 µs). Elysia routes and describes the rest; it is loaded when somebody first asks for that,
 * or by `warm`, as building its routes takes as long as opening the house.
 */
export function createApp(gateway: Gateway, { mcp = null }: AppOptions = {}): App {
  const peers = new WeakMap<Request, Peer>()
  const door: Door = { gateway, mcp, peerOf: (request) => peers.get(request) ?? { address: '', loopback: false } }
  const { server } = gateway.rooms.config.current().config
  const limits = () => gateway.rooms.config.current().config.limits
  const gate: HostGate = hostGate({
    host: server.host,
    publicUrl: server.public_url ?? null,
    allowedHosts: server.allowed_hosts,
    allowedOrigins: server.allowed_origins,
  })
  const routes = once(async () => (await import('./routes.ts')).createRoutedFetch(door))

  function answer(request: Request, peer: Peer): Response | Promise<Response> {
    try {
      gate.check(request)
    } catch (error) {
      return errorResponse(shown(error), dialectOf(pathOf(request.url).path))
    }
    const origin = request.headers.get('origin') === null ? null : gate.allowedOrigin(request)
    if (origin !== null && request.method === 'OPTIONS') return preflight(request, origin)
    const { openai_api: openai, anthropic_api: anthropic } = gateway.rooms.config.current().config.server
    if (!(openai && anthropic)) {
      const { path } = pathOf(request.url)
      const plain = plainPath(path)
      const dialect = Object.hasOwn(surfaces, plain) ? surfaces[plain]!.dialect : null
      if ((dialect === 'openai' && !openai) || (dialect === 'anthropic' && !anthropic)) {
        return errorResponse(nothingAt(path), dialectOf(path))
      }
    }
    const given = gateway.answer(request, peer) ?? routed(request, peer)
    return origin === null ? given : Promise.resolve(given).then((response) => withOrigin(response, origin))
  }

  function routed(request: Request, peer: Peer): Response | Promise<Response> {
    const most = limits().body_bytes
    if (Number(request.headers.get('content-length') ?? 0) > most) {
      return errorResponse(tooLarge(most), dialectOf(pathOf(request.url).path), [['connection', 'close']])
    }
    const healthy = request.method === 'GET' ? healthAnswer(gateway, request, pathOf(request.url).path) : null
    if (healthy) return healthy
    const plain = bounded(withLongHost(request), most)
    peers.set(plain, peer)
    return Promise.all([routes(), gateway.rooms.news()]).then(([fetch]) => fetch(plain))
  }

  return { answer, warm: async () => void await routes() }
}

/**
 * The request under a host that Elysia can read: it looks for the path from the eleventh character of the URL on, and so
 * finds none behind a host shorter than four characters, such as `gw`.
 */
function withLongHost(request: Request): Request {
  const { url } = request
  const slash = url.indexOf('/', url.indexOf('://') + 3)
  return slash >= 11 ? request : new Request(`http://localhost${slash < 0 ? '/' : url.slice(slash)}`, request)
}

const tooLarge = (most: number): GwError =>
  new GwError('request.too_large', `the request body is larger than ${most} bytes`, {
    hint: 'the limit is limits.body_bytes',
  })

/** The request with an end to a body that does not say how long it is; the model endpoints count for themselves. */
function bounded(request: Request, most: number): Request {
  if (!request.body || request.headers.has('content-length')) return request
  let size = 0
  const counting = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      size += chunk.length
      if (size > most) controller.error(tooLarge(most))
      else controller.enqueue(chunk)
    },
  })
  return new Request(request, { body: request.body.pipeThrough(counting), duplex: 'half' } as RequestInit)
}

function preflight(request: Request, origin: string): Response {
  return new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET, POST, PUT, DELETE, HEAD',
      'access-control-allow-headers': request.headers.get('access-control-request-headers') ??
        'authorization, content-type',
      'access-control-max-age': '600',
      vary: 'origin, access-control-request-headers',
    },
  })
}

function withOrigin(response: Response, origin: string): Response {
  const headers = new Headers(response.headers)
  headers.set('access-control-allow-origin', origin)
  headers.set('access-control-expose-headers', '*')
  headers.append('vary', 'origin')
  return new Response(response.body, { status: response.status, headers })
}
