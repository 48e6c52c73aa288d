import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type OidcIssuer, oidcIssuer } from '../support/vendors/oidc.ts'
import { type ProcessHome, processHome } from './login-process.ts'

const limitMs = 90_000
let issuer: OidcIssuer
const cleanups: (() => unknown)[] = []
beforeAll(async () => {
  issuer = await oidcIssuer()
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})
afterAll(() => issuer.close())

function home(): ProcessHome {
  const made = processHome('')
  cleanups.push(() => made.close())
  return made
}

function freePort(): number {
  const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response() })
  const { port } = server
  server.stop(true)
  return port!
}

/** A gateway with a certificate that nobody vouches for. */
async function gateway(at: ProcessHome): Promise<{ url: string; tokens: string[] }> {
  const [key, cert] = [join(at.user, 'key.pem'), join(at.user, 'cert.pem')]
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
  ])
  if (made.status !== 0) throw new Error(String(made.stderr))
  const tokens: string[] = []
  const server: Server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    tokens.push(request.headers.authorization ?? '')
    response.end('from the gateway')
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  cleanups.push(() => {
    server.closeAllConnections()
    return new Promise((closed) => server.close(closed))
  })
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, tokens }
}

describe('gw llm config', () => {
  test('set, show, reset: empty and 0 leave alone, every problem at once and nothing saved', async () => {
    const at = home()
    const empty = await at.run(['llm', 'config', 'show'])
    expect([empty.code, empty.stdout.includes('gw llm config set')]).toEqual([0, true])
    const set = (...flags: string[]) => at.run(['llm', 'config', 'set', ...flags])
    expect((await set('--gateway-url', 'https://gw.test/x', '--models', 'a,b', '--enable-1m')).code).toBe(0)
    const wrong = await set('--gateway-url', 'http://localhost', '--issuer', 'http://idp.test', '--callback-port', '80')
    expect([wrong.code, wrong.stdout]).toEqual([200, ''])
    for (const field of ['gateway_url:', 'oidc.issuer:', 'oidc.callback_port:']) expect(wrong.stderr).toContain(field)
    await set('--issuer', issuer.issuer, '--client-id', 'gw', '--gateway-url', '', '--proxy-port', '0', '--models', '')
    const json = JSON.parse((await at.run(['llm', 'config', 'show', '--format', 'json'])).stdout)
    expect(json).toMatchObject({
      gateway_url: 'https://gw.test/x',
      tls_skip_verify: false,
      oidc: { issuer: issuer.issuer, client_id: 'gw', scopes: ['openid', 'offline_access'] },
      bedrock: { compat: false, enable_1m: true },
      models: [],
    })
    await set('--tls-skip-verify', '--enable-1m=false')
    const { stdout } = await at.run(['llm', 'config', 'show'])
    for (const line of ['Gateway URL: https://gw.test/x', 'Proxy Port: 14000', '1M context: false']) {
      expect(stdout).toContain(line)
    }
    expect(stdout).toMatch(/TLS Skip Verify: true \(.*read and change/)
    expect((await at.run(['llm', 'config', 'reset'])).code).toBe(0)
    expect((await at.run(['llm', 'token'])).code).toBe(200)
  }, limitMs)
})

describe('gw llm token and proxy', () => {
  test(
    'without a person: no browser, no token, what to do; with a login the token alone; start, status, key, stop',
    async () => {
      const at = home()
      const far = await gateway(at)
      const [callback, port] = [freePort(), freePort()]
      await at.run([
        ...['llm', 'config', 'set', '--gateway-url', far.url, '--issuer', issuer.issuer, '--client-id', 'gw'],
        ...['--callback-port', String(callback), '--proxy-port', String(port)],
      ])
      const alone = await at.run(['llm', 'token'])
      expect([alone.code, alone.stdout]).toEqual([203, ''])
      expect(alone.stderr).toContain('run gw llm token in a terminal')
      // A terminal of its own: the login page is printed, and the token alone goes to standard output.
      const terminal = processHome('', ['script', '-qec', 'stty -onlcr; exec "$0" "$@"'])
      cleanups.push(() => terminal.close())
      const line = `${process.execPath} ${join(import.meta.dir, '../../client/cli/main.ts')} llm token --skip-browser`
      const child = Bun.spawn(['script', '-qec', `${line} > ${join(at.user, 'token')}`, '/dev/null'], {
        env: { PATH: process.env.PATH!, HOME: at.user, GW_HOME: at.home, TERM: 'dumb' },
        stdin: 'pipe',
        stdout: 'pipe',
        stderr: 'inherit',
      })
      cleanups.push(() => child.kill('SIGKILL'))
      let screen = ''
      for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream() as never) as AsyncIterable<string>) {
        screen += chunk
        const page = /^ {2}(http\S+)\r?$/m.exec(screen)?.[1]
        if (page && screen.includes('Waiting')) {
          await issuer.visit(page, 'alice')
          screen = ''
        }
      }
      const printed = readFileSync(join(at.user, 'token'), 'utf8')
      expect([(await issuer.introspect(printed.trim())).active, printed]).toEqual([true, `${printed.trim()}\n`])
      const again = await at.run(['llm', 'token'])
      expect([again.code, again.stdout, again.stderr]).toEqual([0, printed, ''])

      expect((await at.run(['llm', 'proxy', 'status'])).code).toBe(1)
      const proxy = at.start(['llm', 'proxy', 'start'])
      await proxy.says(new RegExp(`LLM proxy listening on http://127\\.0\\.0\\.1:${port}/v1`))
      const status = await at.run(['llm', 'proxy', 'status'])
      expect([status.code, status.stdout.startsWith(`running on http://127.0.0.1:${port}/v1`)]).toEqual([0, true])
      const key = (await at.run(['llm', 'proxy', 'key'])).stdout.trim()
      const ask = () => fetch(`http://127.0.0.1:${port}/v1/x`, { headers: { authorization: `Bearer ${key}` } })
      expect((await ask()).status).toBe(502)
      expect(far.tokens).toEqual([])
      const second = await at.run(['llm', 'proxy', 'start'])
      expect([second.code, second.stdout]).toEqual([1, ''])
      expect(second.stderr).toMatch(/port \d+ on 127\.0\.0\.1 is in use\n.*gw llm proxy status/)
      expect((await at.run(['llm', 'proxy', 'stop'])).code).toBe(0)
      expect((await proxy.done).code).toBe(0)

      const trusting = at.start(['llm', 'proxy', 'start', '--tls-skip-verify'])
      await trusting.says(/listening/)
      expect(trusting.said).toContain('is not checked')
      const answer = await ask()
      expect([answer.status, await answer.text(), far.tokens]).toEqual([200, 'from the gateway', [
        `Bearer ${printed.trim()}`,
      ]])
      trusting.interrupt()
      expect((await trusting.done).code).toBe(0)
    },
    limitMs,
  )
})
