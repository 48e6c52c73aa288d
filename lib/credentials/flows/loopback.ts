import { GwError } from '../../base/mod.ts'
import type { HttpServer, Platform } from '../../platform/mod.ts'
import type { Redirect } from '../vendors/vendor.ts'

/** A listener on 127.0.0.1 that waits for a browser to come back. Open only while a login lasts. */
export interface Loopback {
  readonly redirectUri: string
  close(): Promise<void>
}

/** How to listen. */
export interface LoopbackOptions {
  readonly platform: Platform
  readonly redirect: Redirect
  /** What a callback means; `false` leaves the wait open. */
  readonly onCallback: (parameters: URLSearchParams) => Promise<'done' | 'failed' | 'ignored'>
  /** Somebody asked this listener to give up its port. */
  readonly onCancel: () => void
}

const cancelLimitMs = 1_000

/**
 * Opens the listener on the first of the registered ports that is free, after asking a stale one to quit.
 *
 * @throws GwError `server.port_in_use` when none is
 * @see RFC 8252 §7.3
 */
export async function openLoopback(options: LoopbackOptions): Promise<Loopback> {
  const { platform, redirect } = options
  for (const port of redirect.ports) {
    const server = await listen(options, port) ?? await afterCancel(options, port)
    if (!server) continue
    return {
      redirectUri: `http://${redirect.host}:${server.port}${redirect.path}`,
      close: () => server.stop(true),
    }
  }
  throw new GwError('server.port_in_use', `the login needs port ${redirect.ports.join(' or ')} on 127.0.0.1`, {
    hint: `end the program that uses it, or log in with --device or --paste (${platform.name})`,
  })
}

async function listen(options: LoopbackOptions, port: number): Promise<HttpServer | null> {
  try {
    return await options.platform.serve({
      host: '127.0.0.1',
      port,
      maxBodyBytes: 16 * 1024,
      fetch: (request) => handle(options, request),
    })
  } catch {
    return null
  }
}

/** A listener of an earlier login (ours, or Codex's own) quits when asked. */
async function afterCancel(options: LoopbackOptions, port: number): Promise<HttpServer | null> {
  if (port === 0) return null
  const dialer = options.platform.openDialer()
  const asking = dialer.dial({
    url: new URL(`http://127.0.0.1:${port}/cancel`),
    addresses: ['127.0.0.1'],
    method: 'GET',
    headers: [],
    body: null,
  })
  const timer = setTimeout(() => asking.cancel(), cancelLimitMs)
  try {
    await asking.reply
  } catch {
    return null
  } finally {
    clearTimeout(timer)
    dialer.close()
  }
  for (let attempt = 0; attempt < 10; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 50))
    const server = await listen(options, port)
    if (server) return server
  }
  return null
}

async function handle(options: LoopbackOptions, request: Request): Promise<Response> {
  const url = new URL(request.url)
  // A page on the web must not reach this listener through a name of its own.
  const host = (request.headers.get('host') ?? '').replace(/:\d+$/, '')
  if (!['localhost', '127.0.0.1', '[::1]'].includes(host)) return page(403, 'Forbidden', 'Wrong host.')
  if (request.method !== 'GET') return page(405, 'Not allowed', 'Only GET.')
  if (url.pathname === '/cancel') {
    setTimeout(options.onCancel, 0)
    return page(200, 'Cancelled', 'This login was cancelled.')
  }
  if (url.pathname !== options.redirect.path) return page(404, 'Not found', 'Nothing here.')
  const outcome = await options.onCallback(url.searchParams)
  if (outcome === 'ignored') {
    return page(400, 'Not this login', 'This answer belongs to another login. The wait goes on.')
  }
  if (outcome === 'failed') return page(400, 'Login failed', 'See the terminal for what to do next.')
  return page(200, 'Logged in', 'You can close this page and go back.')
}

/** Fixed texts only: nothing of the request is ever printed into the page. */
function page(status: number, title: string, text: string): Response {
  const html = `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title>` +
    `<body style="font:16px system-ui;margin:4rem auto;max-width:32rem"><h1>${title}</h1><p>${text}</p></body></html>`
  return new Response(html, {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    },
  })
}
