import { afterEach, beforeEach, expect, test } from 'bun:test'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { operator } from '../../lib/access/mod.ts'
import { openServed, type ServedGateway } from '../surfaces/served.ts'

const canary = 'sk-canary-0123456789abcdef'
const other = 'sk-other-0123456789abcdefgh'
const text = `# mine
[server] # where
drain_secs = 5 # short

[access]
server_token = "${canary}-server"

[access.tokens.ci]
token = "${canary}-ci-token"

[accounts.written]
provider = "openai"
token = "${canary}" # a literal

[providers.mine]
base_url = "https://mine.example.com/v1"
protocol = "openai-chat"
headers = { x-api-key = "${canary}", x-team = "red" }
`

let served: ServedGateway
let path: string
beforeEach(async () => {
  served = await openServed()
  path = join(served.root, 'config.toml')
  writeFileSync(path, text, { mode: 0o600 })
  await served.gateway.rooms.config.reload()
})
afterEach(() => served.close())

interface Answer {
  readonly status: number
  readonly headers: Headers
  // deno-lint-ignore no-explicit-any
  readonly body: any
}

async function ask(method: string, at: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await fetch(served.url + at, {
    method,
    headers: {
      authorization: `Bearer ${served.token}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const said = await answer.text()
  expect(said).not.toContain(canary)
  expect(said).not.toContain(other)
  return { status: answer.status, headers: answer.headers, body: JSON.parse(said) }
}

const file = () => readFileSync(path, 'utf8')
const audit = async () =>
  (await served.gateway.rooms.audit.list({ limit: 50 })).map(({ operation, state }) => `${operation} ${state}`)

test('the whole configuration goes out and comes back without a secret, and no secret changes', async () => {
  const shown = await ask('GET', '/config')
  expect(shown.status).toBe(200)
  expect(shown.body).toMatchObject({
    serverToken: '[REDACTED]',
    authorization: { tokens: { ci: { token: '[REDACTED]', admin: false } }, legacyAdminCompatibility: true },
    providers: {
      mine: { baseUrl: 'https://mine.example.com/v1', headers: { 'x-api-key': '[REDACTED]', 'x-team': 'red' } },
    },
    authProfiles: { 'openai:written': { provider: 'openai', type: 'api_key', key: '[REDACTED]' } },
    providerFallback: { maxAttempts: 6 },
    egressPolicy: { mode: 'enforce' },
  })
  const back = await ask('POST', '/config', shown.body, { 'if-match': shown.headers.get('etag')! })
  expect([back.status, back.body]).toEqual([200, { status: 'ok', left: [] }])
  expect(file()).toBe(text)
  const changed = { ...shown.body, defaultModel: 'demo/demo-small' }
  changed.authorization.tokens.ci.scopes = ['read']
  changed.providers.mine.headers['x-team'] = 'blue'
  const done = await ask('POST', '/config', changed)
  expect([done.status, done.body.status]).toEqual([200, 'ok'])
  expect(file()).toStartWith('# mine\n[server] # where\ndrain_secs = 5 # short\n')
  expect(file().split(canary).length).toBe(text.split(canary).length)
  expect(file()).toContain('x-team = "blue"')
  const { config } = served.gateway.rooms.config.current()
  expect(config.catalog.default_model).toBe('demo/demo-small')
  expect(config.access.tokens.ci!.token.reveal()).toBe(`${canary}-ci-token`)
  expect(config.access.tokens.ci!.scopes).toEqual(['read'])
  expect(config.access.server_token!.reveal()).toBe(`${canary}-server`)
  expect(await audit()).toContain('config.edit done')
})

test('the document operation goes out and comes back too, and keeps comments', async () => {
  const { body: { document, etag } } = await ask('GET', '/api/config/document')
  expect(document.accounts.written.token).toBe('[REDACTED]')
  const same = await ask('POST', '/api/config/replace', { document, etag })
  expect(same.body).toMatchObject({ changed: false, keys: [], etag })
  expect(file()).toBe(text)
  document.server.drain_secs = 7
  document.routing = { strategy: 'priority' }
  delete document.providers
  const dry = await ask('POST', '/api/config/replace', { document, etag, dry_run: true })
  expect(dry.body).toMatchObject({ changed: true, keys: ['providers', 'server.drain_secs', 'routing.strategy'] })
  expect(file()).toBe(text)
  const done = await ask('POST', '/api/config/replace', { document, etag })
  expect(done.status).toBe(200)
  expect(file()).toContain('drain_secs = 7 # short')
  expect(file()).toContain(`token = "${canary}" # a literal`)
  expect(file()).not.toContain('[providers')
  expect(served.gateway.rooms.config.current().config.routing.strategy).toBe('priority')
  const stale = await ask('POST', '/api/config/replace', { document, etag })
  expect([stale.status, stale.body.title]).toEqual([412, 'request.stale'])
})

test('a hidden value where there is none to keep is refused, and nothing is written', async () => {
  const { body: { document } } = await ask('GET', '/api/config/document')
  document.accounts.renamed = document.accounts.written
  delete document.accounts.written
  const answer = await ask('POST', '/api/config/replace', { document })
  expect([answer.status, answer.body.param]).toEqual([400, 'accounts.renamed.token'])
  expect(file()).toBe(text)
})

test('a view that is wrong anywhere changes nothing anywhere: no key, no account, no order', async () => {
  const { rooms } = served.gateway
  const put = { provider: 'openai', type: 'api_key', key: other, email: 'me@example.com' }
  expect((await ask('PUT', '/config/auth-profiles/openai:work', put)).status).toBe(200)
  const { body } = await ask('GET', '/config')
  const accounts = () => JSON.stringify(rooms.accounts.list())
  const secret = async () => (await rooms.accounts.credentialFor(rooms.accounts.get('openai-work'))).secret.reveal()
  const before = accounts()
  const changed = structuredClone(body)
  changed.defaultModel = 'demo/demo-small'
  changed.authProfiles['openai:work'] = { ...put, key: 'sk-never-0123456789abcdefgh', email: 'you@example.com' }
  changed.authProfiles['openai:first'] = { provider: 'openai', type: 'api_key', key: 'sk-never-0123456789abcdefgh' }
  for (
    const [wrong, status] of [
      // A provider that there is not, an account of the file that only the file can change, an order of none.
      [{ authProfiles: { ...changed.authProfiles, 'nobody:x': { provider: 'nobody', key: 'k' } } }, 404],
      [{ authProfiles: { ...changed.authProfiles, 'openai:written': { ...put, email: 'new@example.com' } } }, 409],
      [{ authOrder: { openai: ['openai:work', 'openai:none'] } }, 404],
    ] as const
  ) {
    const answer = await ask('POST', '/config', { ...changed, ...wrong })
    expect([answer.status, file(), accounts(), await secret()]).toEqual([status, text, before, other])
  }
  const all = await ask('POST', '/config', { ...changed, authOrder: { openai: ['openai:written', 'openai:work'] } })
  expect(all.body).toEqual({ status: 'ok', left: [] })
  expect(rooms.config.current().config.catalog.default_model).toBe('demo/demo-small')
  expect(rooms.accounts.get('openai-work')).toMatchObject({ label: 'you@example.com', priority: 1 })
  expect(rooms.accounts.get('written').priority).toBe(2)
  expect(rooms.accounts.get('openai-first').provider).toBe('openai')
  const records = await rooms.audit.list({ limit: 1 })
  expect(JSON.stringify(records)).not.toContain('sk-never')
  expect(records[0]).toMatchObject({ operation: 'config.edit', state: 'done' })
})

test('a provider and its first account come in one step', async () => {
  const { body } = await ask('GET', '/config')
  body.providers.fresh = { baseUrl: 'https://fresh.example.com/v1', api: 'openai-completions', apiKey: other }
  expect((await ask('POST', '/config', body)).status).toBe(200)
  const { rooms } = served.gateway
  expect((await rooms.accounts.credentialFor(rooms.accounts.get('fresh'))).secret.reveal()).toBe(other)
})

test('what is not valid is refused whole, with its place, in the shape of the path', async () => {
  const { body } = await ask('GET', '/config')
  const wrong = await ask('POST', '/config', { ...body, providerFallback: { maxAttempts: 900 }, defaultModel: 'x/y' })
  expect(wrong.status).toBe(400)
  expect(wrong.body.detail).toMatchObject({ code: 'config_rejected', param: 'routing.fallback.max_attempts' })
  expect(file()).toBe(text)
  for (const bad of ['[]', '"x"', '{"a":', '{"providers":[]}', '{"providers":{"x":1}}']) {
    const answer = await fetch(`${served.url}/config`, {
      method: 'POST',
      headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/json' },
      body: bad,
    })
    const said = await answer.json() as { detail?: unknown }
    if (bad === '{"providers":[]}') continue
    expect([bad, answer.status, said.detail !== undefined]).toEqual([bad, 400, true])
  }
  const form = await fetch(`${served.url}/config`, {
    method: 'POST',
    headers: { authorization: `Bearer ${served.token}`, 'content-type': 'text/plain' },
    body: '{}',
  })
  expect(form.status).toBe(415)
  await form.text()
  expect(file()).toBe(text)
})

test('a file that changed on disk meanwhile is not overwritten', async () => {
  const { headers } = await ask('GET', '/config')
  writeFileSync(path, `${text}\n# by hand\n`, { mode: 0o600 })
  const tag = { 'if-match': headers.get('etag')! }
  const put = await ask('PUT', '/config/providers/newer', { base_url: 'https://newer.example.com/v1' }, tag)
  expect([put.status, put.body.detail.code]).toEqual([412, 'request_stale'])
  expect(file()).toEndWith('# by hand\n')
  const fresh = (await ask('GET', '/config')).headers.get('etag')!
  const again = await ask('PUT', '/config/providers/newer', { base_url: 'https://newer.example.com/v1' }, {
    'if-match': fresh,
  })
  expect(again.status).toBe(200)
  expect(file()).toContain('# by hand')
})

test('changes at the same time are all kept', async () => {
  const names = Array.from({ length: 12 }, (_, i) => `p${i}`)
  const answers = await Promise.all(
    names.map((name) => ask('PUT', `/config/providers/${name}`, { base_url: `https://${name}.example.com/v1` })),
  )
  expect(answers.map(({ status }) => status)).toEqual(names.map(() => 200))
  const { providers } = served.gateway.rooms.config.current().config
  expect(names.filter((name) => providers[name]?.base_url === `https://${name}.example.com/v1`)).toEqual(names)
})

test('providers are added with their key in the store, listed, and taken out', async () => {
  const put = await ask('PUT', '/config/providers/next', {
    base_url: 'https://next.example.com/v1/',
    api: 'openai-completions',
    auth: 'api-key',
    api_key: other,
    headers: { 'x-team': 'blue' },
  })
  expect(put.body).toEqual({ status: 'ok', provider: 'next' })
  expect(file()).not.toContain(other)
  expect((await ask('GET', '/config/providers')).body.next).toMatchObject({
    baseUrl: 'https://next.example.com/v1',
    apiKey: '[REDACTED]',
    api: 'openai-completions',
    headers: { 'x-team': 'blue' },
  })
  const listed = (await ask('GET', '/config/configured-providers')).body
  expect(listed.find((one: { id: string }) => one.id === 'next')).toMatchObject({
    isBuiltin: false,
    authProfileCount: 1,
    baseUrl: 'https://next.example.com/v1',
  })
  // The key as it is shown stays the key.
  const again = await ask('PUT', '/config/providers/next', {
    base_url: 'https://next.example.com/v2',
    api_key: '[REDACTED]',
  })
  expect(again.status).toBe(200)
  const { rooms } = served.gateway
  expect((await rooms.accounts.credentialFor(rooms.accounts.get('next'))).secret.reveal()).toBe(other)
  expect((await ask('DELETE', '/config/providers/next')).body).toEqual({ status: 'ok', deleted: 'next' })
  expect((await ask('DELETE', '/config/providers/next')).body).toEqual({ status: 'ok', deleted: 'next' })
  expect(rooms.accounts.list().some(({ id }) => id === 'next')).toBe(false)
  expect((await ask('GET', '/config/builtin-providers')).body.length).toBeGreaterThan(30)
  const models = (await ask('GET', '/config/providers/demo/models')).body as { id: string }[]
  expect(new Set(models.map(({ id }) => id)).size).toBe(models.length)
  expect(models.map(({ id }) => id)).toContain('demo-small')
})

test('a base URL that egress would refuse is refused when it is written', async () => {
  for (
    const [url, reason] of [['http://169.254.169.254/v1', 'denylisted_cidr'], ['https://10.0.0.5/v1', 'private_ip']]
  ) {
    const { status, body } = await ask('PUT', '/config/providers/bad', { base_url: url })
    expect([status, body.detail.code, body.detail.details.reason]).toEqual([400, 'unsafe_destination', reason!])
    const profile = await ask('PUT', '/config/auth-profiles/openai:bad', { provider: 'openai', key: 'x', baseUrl: url })
    expect([profile.status, profile.body.detail.code]).toEqual([400, 'unsafe_destination'])
  }
  expect(file()).toBe(text)
})

test('auth profiles are added, changed with the key kept, ordered and forgotten', async () => {
  const put = (id: string, body: object) => ask('PUT', `/config/auth-profiles/${id}`, { provider: 'openai', ...body })
  expect((await put('openai:work', { type: 'api_key', key: other, email: 'me@example.com' })).body).toEqual({
    status: 'ok',
    profile: 'openai:work',
  })
  expect((await put('openai:spare', { type: 'token', token: '${SPARE}' })).status).toBe(200)
  const list = (await ask('GET', '/config/auth-profiles')).body as { id: string }[]
  expect(list.find(({ id }) => id === 'openai:work')).toMatchObject({ key: '[REDACTED]', email: 'me@example.com' })
  expect(list.find(({ id }) => id === 'openai:spare')).toMatchObject({ token: '${SPARE}', type: 'token' })
  expect((await put('openai:work', { key: '[REDACTED]', email: 'you@example.com' })).status).toBe(200)
  const { rooms } = served.gateway
  const work = rooms.accounts.get('openai-work')
  expect([work.label, (await rooms.accounts.credentialFor(work)).secret.reveal()]).toEqual(['you@example.com', other])
  const { body } = await ask('GET', '/config')
  delete body.authProfiles['openai:spare']
  const done = await ask('POST', '/config', { authProfiles: body.authProfiles, authOrder: { openai: ['openai:work'] } })
  expect(done.status).toBe(200)
  expect(rooms.accounts.list().map(({ id }) => String(id)).sort()).toEqual(['demo', 'openai-work', 'written'])
  expect(rooms.accounts.get('openai-work').priority).toBe(1)
  expect((await ask('DELETE', '/config/auth-profiles/openai:written')).status).toBe(200)
  expect(file()).not.toContain('[accounts')
  expect((await ask('DELETE', '/config/auth-profiles/openai%3Awork')).status).toBe(200)
  const unknown = await ask('DELETE', '/config/auth-profiles/some/thing:else')
  expect([unknown.status, typeof unknown.body.detail]).toEqual([404, 'string'])
  const login = await put('openai:login', { type: 'oauth', access: 'x', refresh: 'y' })
  expect(login.status).toBe(400)
  expect((await put('openai:new', { key: '[REDACTED]' })).status).toBe(400)
})

test('a credential is tested against its provider', async () => {
  const { body } = await ask('POST', '/config/credentials/demo:default/test', {})
  expect(body).toMatchObject({ status: 'ok', profile: 'demo:default', provider: 'demo' })
  expect(body.models_found).toBeGreaterThan(0)
  const missing = await ask('PUT', '/config/auth-profiles/openai:gone', {
    provider: 'openai',
    key: '${NOT_SET_ANYWHERE}',
  })
  expect(missing.status).toBe(200)
  const failed = (await ask('POST', '/config/credentials/openai:gone/test', {})).body
  expect([failed.status, failed.detail.includes('NOT_SET_ANYWHERE')]).toEqual(['error', true])
  expect((await ask('POST', '/config/credentials/nobody:here/test', {})).status).toBe(404)
})

test('snapshots are saved, listed, shown, put in force with their comments, and deleted', async () => {
  expect((await ask('POST', '/config/profiles', { name: 'first' })).body.status).toBe('ok')
  expect(statSync(join(served.root, 'snapshots', 'first.toml')).mode & 0o777).toBe(0o600)
  expect((await ask('POST', '/config/profiles', { name: 'first' })).status).toBe(409)
  await ask('PUT', '/config/providers/later', { base_url: 'https://later.example.com/v1' })
  expect((await ask('GET', '/config/profiles')).body).toMatchObject({ active: null, profiles: [{ name: 'first' }] })
  const exported = (await ask('GET', '/config/profiles/export/first')).body
  expect(exported.content.accounts.written.token).toBe('[REDACTED]')
  exported.content.server.drain_secs = 9
  expect((await ask('POST', '/config/profiles/import', { name: 'second', content: exported.content })).status).toBe(200)
  const activated = await ask('POST', '/config/profiles/first/activate', {})
  expect(activated.body).toMatchObject({ status: 'ok', activated: 'first', changed: true })
  expect(file()).toBe(text)
  expect((await ask('GET', '/config/profiles')).body.active).toBe('first')
  expect((await ask('POST', '/config/profiles/second/activate', {})).status).toBe(200)
  const { config } = served.gateway.rooms.config.current()
  expect([config.server.drain_secs, config.access.server_token!.reveal()]).toEqual([9, `${canary}-server`])
  expect((await ask('DELETE', '/config/profiles/first')).body).toEqual({ status: 'ok', deleted: 'first' })
  expect((await ask('DELETE', '/config/profiles/first')).status).toBe(404)
  for (const name of ['../x', 'a/b', 'a\\b', '..', 'x'.repeat(65), '', 'a\u0000b', '.hidden']) {
    const { status } = await ask('POST', '/config/profiles', { name })
    expect([name, status]).toEqual([name, 400])
  }
  writeFileSync(join(served.root, 'snapshots', 'broken.toml'), '[server]\nport = "x"\n', { mode: 0o600 })
  const broken = await ask('POST', '/config/profiles/broken/activate', {})
  expect([broken.status, broken.body.detail.param]).toEqual([400, 'server.port'])
})

test('usage is told in the shapes of its paths', async () => {
  const chat = await fetch(`${served.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/json' },
    body: '{"model":"demo-small","messages":[{"role":"user","content":"hello"}]}',
  })
  await chat.text()
  await served.gateway.rooms.storage.batch.flush()
  expect((await ask('GET', '/config/usage/summary?days=1')).body).toMatchObject({ requests: 1, errors: 0 })
  expect((await ask('GET', '/config/usage/providers')).body.providers[0]).toMatchObject({
    provider: 'demo',
    requests: 1,
  })
  expect((await ask('GET', '/config/usage/models')).body.models[0]).toMatchObject({ model: 'demo-small' })
  expect((await ask('GET', '/config/usage/endpoints')).body.endpoints[0]).toMatchObject({ endpoint: 'chat' })
  expect((await ask('GET', '/config/usage/chart?granularity=hour')).body.chart.length).toBe(1)
  expect((await ask('GET', '/config/usage/sources')).status).toBe(200)
  const [recent] = (await ask('GET', '/config/usage/recent?limit=5')).body.recent
  expect(recent).toMatchObject({ provider: 'demo', model: 'demo-small', profile_id: 'demo', outcome: 'ok' })
  expect((await ask('GET', '/config/usage/overview')).body.summary.requests).toBe(1)
  expect((await ask('GET', '/config/usage/provider-telemetry')).body.providers[0]).toMatchObject({ error_rate: 0 })
  expect((await ask('GET', '/config/usage/recent?limit=many')).status).toBe(400)
})

test('only the scope admin gets in, and says so in the shape of the path', async () => {
  const { token } = await served.gateway.rooms.access.issue({ label: 'x', scopes: ['read', 'write'] }, operator)
  const headers = { authorization: `Bearer ${token.reveal()}` }
  expect(await ask('GET', '/config', undefined, headers)).toMatchObject({
    status: 403,
    body: { detail: { code: 'insufficient_scope', required: ['admin'] } },
  })
  const none = await ask('GET', '/config/providers', undefined, { authorization: '' })
  expect([none.status, typeof none.body.detail]).toEqual([401, 'string'])
})

test('a change whose record cannot be written does not happen', async () => {
  const { rooms } = served.gateway
  const { begin } = rooms.audit
  const broken = rooms.audit as { begin: typeof begin }
  const { GwError } = await import('../../lib/base/mod.ts')
  broken.begin = () => Promise.reject(new GwError('audit.failed', 'the disk is full'))
  const answer = await ask('PUT', '/config/providers/never', { base_url: 'https://never.example.com/v1' })
  broken.begin = begin
  expect(answer.status).toBe(503)
  expect(file()).toBe(text)
})
