import { afterAll, describe, expect, test } from 'bun:test'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { type GwError, readAll, silentLogger, systemClock } from '../../../lib/base/mod.ts'
import { egressConfig } from '../../../lib/egress/config.ts'
import { createEgress, egressPolicy, proxiesOf } from '../../../lib/egress/mod.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'

const servers: Server[] = []
afterAll(() => servers.forEach((server) => server.close()))

async function listen(serve: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    serve(socket)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as { port: number }).port
}

/** An upstream that says what it was asked. */
const upstream = () =>
  listen((socket) =>
    socket.on('data', (bytes) => {
      const [line] = bytes.toString('latin1').split('\r\n')
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${line!.length}\r\n\r\n${line}`)
    })
  )

/** A proxy that notes what it is asked and leads every tunnel to one port. */
async function proxy(port: number, answer = 'HTTP/1.1 200 Connection established\r\n\r\n') {
  const heads: string[] = []
  const at = await listen((socket) =>
    socket.once('data', (bytes) => {
      heads.push(bytes.toString('latin1'))
      socket.write(answer)
      if (!answer.includes(' 200 ')) return
      const on = connect(port, '127.0.0.1')
      on.on('error', () => {})
      socket.pipe(on)
      on.pipe(socket)
    })
  )
  return { url: `http://127.0.0.1:${at}`, heads }
}

async function wayOut(env: Record<string, string>, config: unknown = {}) {
  const asked: string[] = []
  const parsed = egressConfig.parse({ enforce_https: false, ...config as object })
  const egress = createEgress({
    policy: egressPolicy(parsed),
    dialer: (await detectPlatform()).openDialer(),
    proxyFor: proxiesOf(parsed, env),
    clock: systemClock,
    log: silentLogger,
    resolve: (host) => {
      asked.push(host)
      return Promise.resolve(['10.0.0.1'])
    },
  })
  return { egress, asked }
}

const call = (url: string) => ({ url: new URL(url), method: 'POST', headers: [], body: new Uint8Array([123, 125]) })

describe('a proxy on the way out', () => {
  test('is asked for a tunnel to the host by name, which nobody here looks up, with what it wants as proof', async () => {
    const { url, heads } = await proxy(await upstream())
    const { egress, asked } = await wayOut({ HTTP_PROXY: url.replace('//', '//me:p%40ss@') })
    for (let i = 0; i < 2; i++) {
      const reply = await egress.open(call('http://upstream.test:81/v1/x?y=1')).reply
      expect(reply.status).toBe(200)
      expect(new TextDecoder().decode((await readAll(reply.body, 1000))!)).toBe('POST /v1/x?y=1 HTTP/1.1')
    }
    // The second request went through the tunnel of the first.
    expect(heads).toEqual([
      `CONNECT upstream.test:81 HTTP/1.1\r\nhost: upstream.test:81\r\nproxy-authorization: Basic ${
        btoa('me:p@ss')
      }\r\n\r\n`,
    ])
    expect(asked).toEqual([])
    egress.close()
  })

  test('gets TLS inside the tunnel, with the name of the destination', async () => {
    let hello = ''
    const silent = await listen((socket) =>
      socket.on('data', (bytes) => {
        hello += bytes.toString('latin1')
        if (hello.includes('upstream.test')) socket.destroy()
      })
    )
    const { url, heads } = await proxy(silent)
    const { egress } = await wayOut({ https_proxy: url })
    const error = await egress.open(call('https://upstream.test/v1')).reply.catch((error: GwError) => error)
    expect(error).toMatchObject({ code: 'upstream.unreachable' })
    expect(heads[0]).toStartWith('CONNECT upstream.test:443 HTTP/1.1\r\n')
    // A TLS handshake record, and the name in its clear.
    expect(hello.charCodeAt(0)).toBe(0x16)
    expect(hello).toContain('upstream.test')
    egress.close()
  })

  for (
    const [what, answer] of [
      ['refuses', 'HTTP/1.1 407 Proxy Authentication Required\r\n\r\n'],
      ['does not speak HTTP', 'hello\r\n\r\n'],
      ['speaks before it is asked to', 'HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'],
    ] as const
  ) {
    test(`that ${what} makes the upstream unreachable`, async () => {
      const { url } = await proxy(await upstream(), answer)
      const { egress } = await wayOut({ HTTP_PROXY: url })
      const error = await egress.open(call('http://upstream.test/v1')).reply.catch((error: GwError) => error)
      expect(error).toMatchObject({ code: 'upstream.unreachable' })
      egress.close()
    })
  }

  test('leads to no place that the policy refuses by its name or address', async () => {
    const { url, heads } = await proxy(await upstream())
    const { egress } = await wayOut({ HTTP_PROXY: url })
    for (const place of ['http://10.1.2.3/', 'http://metadata.google.internal/', 'http://169.254.169.254/']) {
      const error = await egress.open(call(place)).reply.catch((error: GwError) => error)
      expect(error).toMatchObject({ code: 'egress.denied' })
    }
    expect(heads).toEqual([])
    egress.close()
  })
})

describe('which proxy a URL gets', () => {
  const env = {
    HTTPS_PROXY: 'http://s.test:1',
    HTTP_PROXY: 'p.test',
    NO_PROXY: 'intern.test, .corp.test,10.0.0.0/8,x.test:8443',
  }
  const host = (url: string, config: unknown = {}, given: Record<string, string> = env): string | null =>
    proxiesOf(egressConfig.parse(config), given)(new URL(url))?.host ?? null

  for (
    const [url, expected] of [
      ['https://api.test/', 's.test'],
      ['http://api.test/', 'p.test'],
      ['https://intern.test/', null],
      ['https://a.intern.test/', null],
      ['https://notintern.test/', 's.test'],
      ['https://a.corp.test/', null],
      ['https://10.2.3.4/', null],
      ['https://11.2.3.4/', 's.test'],
      ['https://x.test/', 's.test'],
      ['https://x.test:8443/', null],
      ['http://127.0.0.1:11434/', null],
      ['http://localhost:1234/', null],
      ['http://[::1]:1234/', null],
    ] as const
  ) {
    test(`${url} goes ${expected === null ? 'directly' : `through ${expected}`}`, () => {
      expect(host(url)).toBe(expected)
    })
  }

  test('the configuration counts before the environment', () => {
    expect(host('https://api.test/', { proxy: 'http://c.test:3128' })).toBe('c.test')
    expect(host('https://api.test/', { proxy: 'off' })).toBeNull()
    expect(host('https://api.test/', { no_proxy: ['api.test'] })).toBeNull()
    expect(host('https://api.test/', {}, { ALL_PROXY: 'http://a.test' })).toBe('a.test')
    expect(host('https://api.test/', {}, { HTTPS_PROXY: 'http://s.test', NO_PROXY: '*' })).toBeNull()
    expect(host('https://api.test/', {}, {})).toBeNull()
  })

  test('a proxy that cannot be used stops the start without repeating its password', () => {
    const error = ((): GwError | null => {
      try {
        proxiesOf(egressConfig.parse({}), { HTTPS_PROXY: 'socks5://me:hunter22@p.test' })
        return null
      } catch (error) {
        return error as GwError
      }
    })()
    expect(error).toMatchObject({ code: 'config.invalid', param: 'HTTPS_PROXY' })
    expect(`${error?.message}${error?.hint}`).not.toContain('hunter22')
    expect(egressConfig.safeParse({ proxy: 'http://me:pw@p.test' }).success).toBe(false)
  })
})
