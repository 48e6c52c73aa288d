import { afterAll, beforeAll, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { importSPKI, jwtVerify } from 'jose'
import { isObject, type JsonObject } from '../../lib/base/mod.ts'
import { hear } from '../../lib/conform/grammar.ts'
import { detectPlatform } from '../../lib/platform/mod.ts'
import { startGateway } from '../support/gateway.ts'
import { claudeAnswer as whole, claudeStream as sse } from '../support/vendors/claude-answer.ts'

/**
 * Claude on Vertex from end to end at the addresses of the catalogue: a key file, an assertion, a token, a request, an
 * answer. The sockets and their TLS are real; a proxy leads both of Google's hosts to one server of this file.
 */
const folder = mkdtempSync(join(tmpdir(), 'gw-vertex-'))
const at = (name: string): string => join(folder, name)
const hosts = ['oauth2.googleapis.com', 'europe-west1-aiplatform.googleapis.com']
const key = generateKeyPairSync('rsa', { modulusLength: 2048 })
const publicKey = key.publicKey.export({ type: 'spki', format: 'pem' }) as string

interface Asked {
  readonly host: string
  readonly path: string
  readonly body: JsonObject
}

let google: ReturnType<typeof Bun.serve>
let proxy: Server
const asked: Asked[] = []
const tunnels: string[] = []
let minted = 0

/** The token endpoint: a token for an assertion that Google would believe. */
async function token(request: Request): Promise<Response> {
  const form = new URLSearchParams(await request.text())
  if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') {
    return Response.json({ error: 'unsupported_grant_type' }, { status: 400 })
  }
  try {
    const { payload, protectedHeader } = await jwtVerify(
      form.get('assertion') ?? '',
      await importSPKI(publicKey, 'RS256'),
      { issuer: 'gw@project.iam.gserviceaccount.com', audience: 'https://oauth2.googleapis.com/token' },
    )
    expect(protectedHeader.kid).toBe('key-1')
    expect(payload.scope).toBe('https://www.googleapis.com/auth/cloud-platform')
  } catch {
    return Response.json({ error: 'invalid_grant' }, { status: 400 })
  }
  return Response.json({ access_token: `ya29.token-${++minted}`, expires_in: 3600, token_type: 'Bearer' })
}

async function vertex(request: Request, path: string): Promise<Response> {
  const body: unknown = await request.json()
  if (!isObject(body)) return Response.json({ error: 'no' }, { status: 400 })
  asked.push({ host: new URL(request.url).hostname, path, body: body as JsonObject })
  if (request.headers.get('authorization') !== `Bearer ya29.token-${minted}` || minted === 0) {
    return Response.json({ error: { code: 401, message: 'no token', status: 'UNAUTHENTICATED' } }, { status: 401 })
  }
  if (path.endsWith('/count-tokens:rawPredict')) return Response.json({ input_tokens: 42 })
  return path.endsWith(':streamRawPredict')
    ? new Response(sse, { headers: { 'content-type': 'text/event-stream' } })
    : Response.json(whole)
}

beforeAll(async () => {
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-subj', '/CN=google', '-addext', `subjectAltName=${hosts.map((host) => `DNS:${host}`).join(',')}`],
    ...['-keyout', at('tls.key'), '-out', at('tls.pem')],
  ])
  if (made.status !== 0) throw new Error(`openssl: ${made.stderr}`)
  writeFileSync(
    at('key.json'),
    JSON.stringify({
      type: 'service_account',
      client_email: 'gw@project.iam.gserviceaccount.com',
      private_key_id: 'key-1',
      private_key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    }),
    { mode: 0o600 },
  )
  google = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    tls: { key: readFileSync(at('tls.key')), cert: readFileSync(at('tls.pem')) },
    fetch(request) {
      const { hostname, pathname } = new URL(request.url)
      return hostname === hosts[0] && pathname === '/token' ? token(request) : vertex(request, pathname)
    },
  })
  const { port } = google
  proxy = createServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.once('data', (bytes) => {
      tunnels.push(/^CONNECT (\S+)/.exec(bytes.toString('latin1'))?.[1] ?? '')
      const on = connect(port!, '127.0.0.1', () => socket.write('HTTP/1.1 200 Connection established\r\n\r\n'))
      on.on('error', () => socket.destroy())
      socket.pipe(on).pipe(socket)
    })
  })
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  proxy.close()
  await google.stop(true)
  rmSync(folder, { recursive: true, force: true })
})

test(
  'Claude on Vertex: a key file becomes a token, and each of three protocols and Vertex itself are served with it',
  async () => {
    const platform = await detectPlatform()
    await using gateway = await startGateway({
      env: {
        HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as { port: number }).port}`,
        GOOGLE_CLOUD_PROJECT: 'a-project',
        GOOGLE_CLOUD_LOCATION: 'europe-west1',
      },
      settings: { 'accounts.vertex': { provider: 'google-vertex', google_key_file: at('key.json') } },
      options: {
        platform: {
          ...platform,
          openDialer: (options) => platform.openDialer({ ...options, ca: readFileSync(at('tls.pem'), 'utf8') }),
        },
      },
    })
    const post = (path: string, body: unknown): Promise<Response> =>
      fetch(gateway.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${gateway.token}` },
        body: JSON.stringify(body),
      })
    const model = 'claude-sonnet-4-5@20250929'
    const base = '/v1/projects/a-project/locations/europe-west1/publishers/anthropic/models'
    const messages = [{ role: 'user', content: 'hi' }]
    const envelope = { anthropic_version: 'vertex-2023-10-16', max_tokens: 9, messages }
    const asks = [
      ['/v1/messages', { model, max_tokens: 9, messages }, 'anthropic-messages'],
      ['/v1/chat/completions', { model, messages }, 'openai-chat'],
      ['/v1/responses', { model, input: 'hi', store: false }, 'openai-responses'],
    ] as const
    for (const [path, body, protocol] of asks) {
      const reply = await post(path, { ...body, stream: true })
      const text = await reply.text()
      expect([path, reply.status === 200 ? hear(protocol, text).text : text]).toEqual([path, 'grüße 🦊'])
      expect(asked.at(-1)).toMatchObject({ host: hosts[1]!, path: `${base}/${model}:streamRawPredict` })
      expect(asked.at(-1)!.body).toMatchObject({ anthropic_version: 'vertex-2023-10-16', stream: true })
      expect(asked.at(-1)!.body).not.toHaveProperty('model')
      const answer = await post(path, body)
      expect([path, await answer.text()]).toEqual([path, expect.stringContaining('grüße 🦊')])
      expect(asked.at(-1)).toMatchObject({ host: hosts[1]!, path: `${base}/${model}:rawPredict` })
    }
    const inbound = '/v1/projects/any/locations/any/publishers/anthropic/models'
    const streamed = await post(`${inbound}/${model}:streamRawPredict`, { ...envelope, stream: true })
    expect(hear('anthropic-messages', await streamed.text()).text).toBe('grüße 🦊')
    expect(await (await post(`${inbound}/${model}:rawPredict`, envelope)).json()).toEqual(whole)
    const counted = await post(`${inbound}/count-tokens:rawPredict`, { ...envelope, model })
    expect(await counted.json()).toEqual({ input_tokens: 42 })
    expect(asked.at(-1)).toMatchObject({ path: `${base}/count-tokens:rawPredict`, body: { model } })
    // One token for all of it, asked for where Google gives them and nowhere else; and its key never left.
    expect(minted).toBe(1)
    expect(new Set(tunnels)).toEqual(new Set(hosts.map((host) => `${host}:443`)))
    expect(JSON.stringify([asked, gateway.log])).not.toMatch(/PRIVATE KEY|ya29\.token/)
  },
  30_000,
)
