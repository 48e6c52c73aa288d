import { afterAll, expect, test } from 'bun:test'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Json, Secret, systemClock } from '../../../lib/base/mod.ts'
import { createGateway } from '../../../lib/mod.ts'
import { demoServer } from '../../support/demo-server.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'

/** An account that died of its credential, and what brings it back: another one in its place, and nothing else. */

const folder = await mkdtemp(join(tmpdir(), 'gw-revival-'))
const upstream = demoServer({ key: 'sk-good' })
const keyFile = join(folder, 'key')
afterAll(async () => {
  await upstream[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const settings = (account: Record<string, Json>): Record<string, Json> => ({
  'egress.allow_origins': [upstream.url],
  'providers.own': { base_url: `${upstream.url}/v1`, protocol: 'openai-chat', auth: 'bearer', capabilities: ['chat'] },
  'accounts.mine': { provider: 'own', ...account },
})

async function ask(gw: TestGateway, token = gw.token): Promise<number> {
  const answer = await fetch(`${gw.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'own/demo-small', messages: [{ role: 'user', content: 'hi' }] }),
  })
  await answer.text()
  return answer.status
}

/** Asks until gw is served, for ten seconds at most. */
async function served(gw: TestGateway, token = gw.token): Promise<boolean> {
  const until = performance.now() + 10_000
  while (performance.now() < until) if (await ask(gw, token) === 200) return true
  return false
}

test('a file with another key brings its account back, also when gw was down meanwhile', async () => {
  const home = join(folder, 'home')
  await writeFile(keyFile, 'sk-revoked')
  const options = { home, settings: settings({ token_file: keyFile }) }
  let token: string
  {
    await using gw = await startGateway(options)
    token = gw.token
    expect([await ask(gw), await ask(gw)]).toEqual([502, 503])
    // The same key again is no news.
    await writeFile(keyFile, 'sk-revoked\n')
    for (let look = 0; look < 3; look++) await gw.gateway.rooms.afloat.raise()
    expect(await ask(gw)).toBe(503)
    await writeFile(keyFile, 'sk-good')
    expect(await served(gw)).toBe(true)
    await writeFile(keyFile, 'sk-revoked')
    expect(await servedNoMore(gw)).toBe(true)
  }
  await writeFile(keyFile, 'sk-good')
  await using gw = await startGateway(options)
  expect(await served(gw, token)).toBe(true)
}, 60_000)

/** Asks until nothing serves any more: sources remember a key for a moment. */
async function servedNoMore(gw: TestGateway): Promise<boolean> {
  const until = performance.now() + 30_000
  while (performance.now() < until) if (await ask(gw) === 503) return true
  return false
}

test('a new login, made in another process, brings its account back', async () => {
  const home = join(folder, 'login-home')
  const options = { home, settings: settings({ login: 'claude', base_url: `${upstream.url}/v1`, plan: false }) }
  await using gw = await startGateway(options)
  const beside = await createGateway({ home, cwd: home, env: {}, keychain: null, settings: options.settings })
  try {
    const { logins } = beside.rooms
    expect([await ask(gw), await ask(gw)]).toEqual([503, 503])
    await logins.keepToken(logins.own('claude'), new Secret('sk-revoked'), null, null)
    gw.gateway.rooms.board.lost('own', 'mine', 'auth_permanently_failed')
    await gw.gateway.rooms.afloat.raise()
    expect(await ask(gw)).toBe(503)
    await logins.keepToken(logins.own('claude'), new Secret('sk-good'), null, null)
    expect(await served(gw)).toBe(true)
  } finally {
    await beside.close()
  }
}, 60_000)

test(
  'a command that prints another token brings its account back, asked for it minutes after the old one died',
  async () => {
    const [token, runs] = [join(folder, 'printed'), join(folder, 'runs')]
    await writeFile(token, 'sk-revoked')
    await writeFile(runs, '')
    let ahead = 0
    const clock = { ...systemClock, now: () => Date.now() + ahead }
    const command = ['sh', '-c', `echo >> '${runs}'; cat '${token}'`]
    await using gw = await startGateway({ settings: settings({ token_command: command }), options: { clock } })
    const ran = async () => (await readFile(runs, 'utf8')).length
    expect([await ask(gw), await ask(gw)]).toEqual([502, 503])
    await writeFile(token, 'sk-good')
    const before = await ran()
    await gw.gateway.rooms.afloat.raise()
    expect([await ask(gw), await ran()]).toEqual([503, before])
    ahead = 5 * 60_000
    expect(await served(gw)).toBe(true)
    expect(await ran()).toBe(before + 1)
  },
  60_000,
)
