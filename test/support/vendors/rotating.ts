import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One refresh as the issuer saw it. */
export interface RefreshCall {
  readonly token: string
  readonly outcome: 'rotated' | 'reused' | 'unknown' | 'failed'
}

/** An issuer whose refresh tokens are single-use, with reuse detection: a spent one presented again ends the family. */
export interface RotatingIssuer {
  readonly url: string
  readonly calls: readonly RefreshCall[]
  /** Starts a family and returns its first refresh token. */
  grant(family: string): string
  /** How it answers next: a status instead of tokens, for so many calls. */
  fail(status: number, times: number, headers?: Record<string, string>): void
  /** Spent tokens are honoured once more for this long: a grace window. */
  graceMs: number
  /** Milliseconds between request and answer. */
  delayMs: number
  /** `expires_in` of the answers; `null` leaves it out. */
  expiresIn: number | null
  /** Whether the answer to the next refresh is made but never sent. */
  loseAnswer: boolean
  ended(family: string): boolean
  close(): Promise<void>
}

/** Starts a {@link RotatingIssuer} on a free loopback port. */
export async function rotatingIssuer(): Promise<RotatingIssuer> {
  const calls: RefreshCall[] = []
  const current = new Map<string, string>()
  const spent = new Map<string, { family: string; at: number; next: string }>()
  const dead = new Set<string>()
  let failures: { status: number; times: number; headers: Record<string, string> } | null = null
  let counter = 0

  const issuer = {
    calls,
    graceMs: 0,
    delayMs: 0,
    expiresIn: 3600 as number | null,
    loseAnswer: false,
    grant(family: string) {
      const token = `rt-${family}-${counter++}`
      current.set(token, family)
      dead.delete(family)
      return token
    },
    fail(status: number, times: number, headers: Record<string, string> = {}) {
      failures = { status, times, headers }
    },
    ended: (family: string) => dead.has(family),
  }

  function answer(token: string): { status: number; body: unknown; headers?: Record<string, string> } {
    if (failures && failures.times-- > 0) {
      calls.push({ token, outcome: 'failed' })
      return { status: failures.status, body: '<html>not now</html>', headers: failures.headers }
    }
    const old = spent.get(token)
    if (old && Date.now() - old.at <= issuer.graceMs) {
      calls.push({ token, outcome: 'rotated' })
      return { status: 200, body: tokens(old.family, old.next) }
    }
    const family = current.get(token)
    if (old || !family || dead.has(family)) {
      calls.push({ token, outcome: old ? 'reused' : 'unknown' })
      if (old) dead.add(old.family)
      return { status: 400, body: { error: 'invalid_grant', error_description: `token ${token} is not valid` } }
    }
    calls.push({ token, outcome: 'rotated' })
    const next = `rt-${family}-${counter++}`
    current.delete(token)
    current.set(next, family)
    spent.set(token, { family, at: Date.now(), next })
    return { status: 200, body: tokens(family, next) }
  }

  const tokens = (family: string, refresh: string) => ({
    access_token: `at-${family}-${counter++}`,
    refresh_token: refresh,
    token_type: 'Bearer',
    ...(issuer.expiresIn === null ? {} : { expires_in: issuer.expiresIn }),
  })

  const server: Server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk) => text += chunk)
    request.on('end', () => {
      const json = request.headers['content-type']?.includes('json')
      const token = json ? JSON.parse(text).refresh_token : new URLSearchParams(text).get('refresh_token')
      const { status, body, headers } = answer(String(token))
      if (issuer.loseAnswer) {
        issuer.loseAnswer = false
        return void response.destroy()
      }
      setTimeout(() => {
        const type = typeof body === 'string' ? 'text/html' : 'application/json'
        response.writeHead(status, { 'content-type': type, ...headers })
        response.end(typeof body === 'string' ? body : JSON.stringify(body))
      }, issuer.delayMs)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return Object.assign(issuer, {
    url: `http://127.0.0.1:${port}/token`,
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  })
}
