import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { type Secret, silentLogger, systemClock } from '../../../lib/base/mod.ts'
import { createLlmBridge, type ShowLogin, startLlmProxy } from '../../../lib/llm-bridge/mod.ts'
import { tokenName } from '../../../lib/llm-bridge/settings.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openSecretStore } from '../../../lib/secrets/mod.ts'
import { openStorage } from '../../../lib/storage/mod.ts'
import { type OidcIssuer, oidcIssuer } from '../../support/vendors/oidc.ts'
import { failure } from '../../support/failure.ts'
import { cleanUp, tempFolder } from '../../support/cleanups.ts'

let issuer: OidcIssuer
beforeAll(async () => {
  issuer = await oidcIssuer()
})
afterAll(() => issuer.close())

const cleanups = cleanUp()

/** What the gateway behind OIDC answers; its https origin is served in this process. */
type Gateway = (request: Request) => Response | Promise<Response>
const origin = 'https://gateway.test'

async function home(gateway: Gateway = () => new Response('ok')) {
  const folder = tempFolder(cleanups, 'llm')
  const platform = await detectPlatform()
  const storage = await openStorage({ platform, clock: systemClock, path: join(folder, 'db') })
  cleanups.push(() => storage.close())
  const secrets = await openSecretStore({ storage, clock: systemClock, keyFile: join(folder, 'key'), keychain: null })
  const send = async (input: string | URL, init?: RequestInit) =>
    String(input).startsWith(origin) ? await gateway(new Request(input, init)) : await fetch(input, init)
  const open = () =>
    createLlmBridge({
      platform,
      clock: systemClock,
      fetch: send,
      logger: silentLogger,
      env: {},
      storage,
      secrets,
      folder: join(folder, 'auth'),
    })
  const bridge = open()
  cleanups.push(() => bridge.close())
  const connect = () =>
    bridge.set({ gatewayUrl: `${origin}/base`, issuer: issuer.issuer, clientId: 'gw', callbackPort: freePort() })
  const show: ShowLogin = ({ url }) => void issuer.visit(url, 'alice')
  const proxy = async (login: boolean | ShowLogin = true) => {
    const running = await startLlmProxy({
      platform,
      logger: silentLogger,
      fetch: send,
      bridge,
      port: 0,
      ...(login ? { show: login === true ? show : login } : {}),
    })
    cleanups.push(() => running.stop())
    const key = (await bridge.proxyKey()).reveal()
    const ask = (path: string, init: RequestInit = {}) =>
      fetch(`http://127.0.0.1:${running.port}${path}`, {
        ...init,
        headers: { authorization: `Bearer ${key}`, ...init.headers as Record<string, string> },
      })
    return { running, ask }
  }
  return { bridge, open, connect, show, proxy }
}

/** A port that was free a moment ago: this one login has a fixed redirect. */
function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const { port } = server
  server.stop(true)
  return port!
}

describe('settings', () => {
  test('empty and 0 leave a value alone, false and an empty list clear', async () => {
    const { bridge } = await home()
    await bridge.set({ gatewayUrl: 'https://a.test', enable1m: true, models: ['m'], proxyPort: 15_000 })
    const after = await bridge.set({ gatewayUrl: '', proxyPort: 0, enable1m: false, models: [] })
    expect([after.gateway_url, after.proxy.listen_port, after.bedrock.enable_1m, after.models]).toEqual([
      'https://a.test',
      15_000,
      false,
      [],
    ])
  })

  test('every problem is told with its field, and nothing is saved', async () => {
    const { bridge } = await home()
    const error = await failure(
      bridge.set({ gatewayUrl: 'http://localhost', issuer: 'http://idp.test', callbackPort: 80, proxyPort: 70_000 }),
    )
    expect(error.code).toBe('config.invalid')
    expect((error.details?.problems as string[]).map((problem) => problem.split(':')[0])).toEqual([
      'gateway_url',
      'oidc.issuer',
      'oidc.callback_port',
      'proxy.listen_port',
    ])
    expect((await bridge.settings()).gateway_url).toBe('')
  })

  test('tokens are kept under a name made of gateway and issuer', async () => {
    const { bridge } = await home()
    const settings = await bridge.set({ gatewayUrl: 'https://a.test', issuer: 'https://i.test', clientId: 'c' })
    expect(tokenName(settings)).toMatch(/^LLM_OAUTH_[0-9a-f]{8}$/)
    expect(tokenName({ ...settings, gateway_url: 'https://b.test' })).not.toBe(tokenName(settings))
  })
})

describe('the token', () => {
  test('needs a connection, then a person, and then comes from what is kept, in another process too', async () => {
    const { bridge, connect, show, open } = await home()
    expect((await failure(bridge.token())).code).toBe('config.invalid')
    await connect()
    const alone = await failure(bridge.token())
    expect([alone.code, alone.hint]).toEqual([
      'credential.login_required',
      'run gw llm token in a terminal to log in',
    ])
    let shown = 0
    const tokens = await Promise.all([1, 2, 3].map(() =>
      bridge.token({
        show: (session) => {
          shown++
          show(session)
        },
      })
    ))
    expect([shown, new Set(tokens.map((token: Secret) => token.reveal())).size]).toEqual([1, 1])
    expect((await open().token()).reveal()).toBe(tokens[0]!.reveal())
    expect(await bridge.reset()).toEqual({ purged: true })
    expect((await failure(bridge.token())).code).toBe('config.invalid')
  })
})

describe('the proxy', () => {
  test('passes method, path, query, body and status through, with its own token and never the key', async () => {
    let seen: { url: string; method: string; authorization: string | null; key: string | null; body: string } | null =
      null
    const { connect, proxy } = await home(async (request) => {
      seen = {
        url: request.url,
        method: request.method,
        authorization: request.headers.get('authorization'),
        key: request.headers.get('x-api-key'),
        body: await request.text(),
      }
      return new Response('teapot', { status: 418, headers: { 'x-from': 'gateway' } })
    })
    await connect()
    const { ask } = await proxy()
    const answer = await ask('/v1/chat?x=1', { method: 'POST', body: 'hello' })
    expect([answer.status, await answer.text(), answer.headers.get('x-from')]).toEqual([418, 'teapot', 'gateway'])
    expect(seen!).toMatchObject({ url: `${origin}/base/v1/chat?x=1`, method: 'POST', body: 'hello', key: null })
    expect(seen!.authorization).not.toContain('gw-llm-')
    expect((await issuer.introspect(seen!.authorization!.slice(7))).active).toBe(true)
  })

  test('a foreign Host and a missing key are refused before anything is asked of anybody', async () => {
    let asked = 0
    const { connect, proxy } = await home(() => {
      asked++
      return new Response()
    })
    await connect()
    const { ask, running } = await proxy(false)
    expect((await ask('/v1/x', { headers: { host: 'evil.test' } })).status).toBe(403)
    expect((await fetch(`${running.url}/x`, { headers: { authorization: 'Bearer thv-proxy' } })).status).toBe(401)
    expect(asked).toBe(0)
  })

  test('a client that leaves during a login does not cancel it: the next one is served by it', async () => {
    const seen: string[] = []
    const { connect, proxy } = await home((request) => {
      seen.push(request.headers.get('authorization')!)
      return new Response('data: 1\n\n', { headers: { 'content-type': 'text/event-stream' } })
    })
    await connect()
    const pages: string[] = []
    const shown = Promise.withResolvers<void>()
    const { ask } = await proxy(({ url }) => {
      pages.push(url)
      shown.resolve()
    })
    const leaving = new AbortController()
    const left = ask('/v1/events', { signal: leaving.signal, headers: { accept: 'text/event-stream' } })
      .then(() => 'answered', () => 'left')
    await shown.promise
    leaving.abort()
    expect(await left).toBe('left')
    const next = ask('/v1/events')
    await issuer.visit(pages[0]!, 'alice')
    expect(await (await next).text()).toBe('data: 1\n\n')
    expect(pages).toHaveLength(1)
    expect((await issuer.introspect(seen.at(-1)!.slice(7))).active).toBe(true)
  })

  test('the end of the proxy ends a login under way, with an answer to who waits for it', async () => {
    const { connect, proxy, bridge } = await home()
    await connect()
    const shown = Promise.withResolvers<void>()
    const { ask } = await proxy(() => shown.resolve())
    const waiting = ask('/v1/x')
    await shown.promise
    await bridge.close()
    const answer = await waiting
    expect([answer.status, await answer.json()]).toEqual([502, {
      error: { message: 'LLM gateway token fetch failed', type: 'server_error' },
    }])
  })

  test('a token endpoint that fails is 502 without its cause', async () => {
    const { connect, proxy, bridge } = await home()
    await connect()
    const { ask } = await proxy()
    expect((await ask('/v1/x')).status).toBe(200)
    // The issuer is gone, and the gateway no longer takes the token.
    await bridge.set({ issuer: 'http://127.0.0.1:9' })
    const answer = await ask('/v1/x')
    expect([answer.status, JSON.stringify(await answer.json()).includes('127.0.0.1')]).toEqual([502, false])
  })

  test('without a login it says 401 with what to do, in the shape tools know', async () => {
    const { connect, proxy } = await home()
    await connect()
    const { ask } = await proxy(false)
    const answer = await ask('/v1/x')
    expect([answer.status, await answer.json()]).toMatchObject([401, {
      error: { type: 'authentication_error', code: 'token_required' },
    }])
  })

  test('an upstream 401 is met with one refresh and one more try, never two', async () => {
    const tokens: string[] = []
    const { connect, proxy } = await home((request) => {
      tokens.push(request.headers.get('authorization')!)
      return new Response('no', { status: tokens.length === 1 ? 401 : tokens.length === 2 ? 200 : 401 })
    })
    await connect()
    const { ask } = await proxy()
    expect((await ask('/v1/a', { method: 'POST', body: 'again' })).status).toBe(200)
    expect([tokens.length, new Set(tokens).size]).toEqual([2, 2])
    expect((await ask('/v1/b')).status).toBe(401)
    expect(tokens.length).toBe(4)
  })

  test('events arrive as they are sent, and an unreachable gateway is 502 without a cause', async () => {
    let more: () => void = () => {}
    const { connect, proxy } = await home((request) => {
      if (request.url.endsWith('/down')) throw new Error('canary: connect refused')
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('data: 1\n\n'))
          more = () => controller.close()
        },
      })
      return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
    })
    await connect()
    const { ask } = await proxy()
    const reader = (await ask('/v1/events')).body!.getReader()
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('data: 1\n\n')
    more()
    const down = await ask('/v1/down')
    expect([down.status, await down.text()]).toEqual([
      502,
      '{"error":{"message":"upstream error","type":"server_error"}}',
    ])
  })
})
