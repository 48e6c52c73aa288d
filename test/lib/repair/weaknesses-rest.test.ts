import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { noConsent } from '../../../lib/repair/admission.ts'
import { cli } from '../../client/support.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'
import { toyInventory } from './toy.ts'
import { openWorld } from './world.ts'

// The weaknesses of oauth-mux that show only in a whole gateway or a whole command line, and the count of them all.

test('each of the nineteen has a test that carries its number', async () => {
  const folders = [import.meta.dir, join(import.meta.dir, '../../client')]
  const numbers = new Set<number>()
  for (const folder of folders) {
    for (const file of await readdir(folder)) {
      if (!file.endsWith('.test.ts')) continue
      const text = await readFile(join(folder, file), 'utf8')
      for (const [, first, second] of text.matchAll(/^ *(?:describe|test)\(\s*'(\d+)(?: and (\d+))?: /gm)) {
        for (const one of [first, second]) if (one) numbers.add(Number(one))
      }
    }
  }
  expect([...numbers].sort((a, b) => a - b)).toEqual(Array.from({ length: 19 }, (_, i) => i + 1))
})

describe('12: what went wrong shows in the exit code', () => {
  let home: string
  beforeAll(async () => void (home = await mkdtemp(join(tmpdir(), 'gw-exit-'))))
  afterAll(() => rm(home, { recursive: true, force: true }))
  const code = async (line: string) =>
    (await cli(line.split(' '), { env: { GW_HOME: join(home, 'none') }, cwd: home })).code

  test('ok:false fails with --strict, and only then', async () => {
    for (const line of ['doctor accounts', 'doctor runtime']) {
      expect([line, await code(line), await code(`${line} --strict`)]).toEqual([line, 0, 1])
    }
  })
  for (const line of ['nonsense', 'route selct', 'doctor --strictly', 'route explain --acount x', 'stay-afloat once']) {
    test(`gw ${line} is not understood`, async () => expect(await code(line)).toBe(2))
  }
})

test('15: accounts with very long names share no evidence, no lock and no handoff', async () => {
  const long = 'x'.repeat(400)
  const inventory = toyInventory({
    account: `${long}1`,
    second: `${long}2`,
    commands: { cheap: ['sh', '-c', 'case "$GW_ACTIVE_ACCOUNT" in *1) echo spent; exit 1;; esac'] },
  })
  const world = await openWorld({ inventory: () => inventory })
  try {
    const probe = (account: string) =>
      world.repair.probe({ provider: 'toy', account, capability: 'cheap', consent: noConsent })
    expect([(await probe(`${long}1`)).ok, (await probe(`${long}2`)).ok]).toEqual([false, true])
    await world.storage.batch.flush()
    const sibling = await world.sibling()
    const { routes } = await sibling.repair.explain({ provider: 'toy', capability: 'cheap' })
    await sibling.close()
    expect(routes.map(({ selectable }) => selectable)).toEqual([false, true])
    const [first, second] = [
      await world.storage.lease(`repair:toy:${long}1`, 1_000),
      await world.storage.lease(
        `repair:toy:${long}2`,
        1_000,
      ),
    ]
    expect([first, second]).not.toContain(null)
    const key = (n: number) => ({ profile: null, provider: 'toy', account: `${long}${n}`, capability: 'cheap' })
    const step = { action: 'reauth', reason: 'r', command: null }
    const { handoffs } = world.repair
    expect([await handoffs.queue(key(1), step), await handoffs.queue(key(2), step)]).toEqual([true, true])
    await handoffs.clear(key(1))
    expect((await handoffs.list()).map(({ account }) => account)).toEqual([`${long}2`])
  } finally {
    await world.close()
  }
})

describe('18: metrics, history and the use of each account', () => {
  let gateway: TestGateway
  const upstream = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () =>
      Response.json({
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model: 'gpt-4.1',
        choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: 'hi' } }],
        usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
      }),
  })
  beforeAll(async () => {
    gateway = await startGateway({
      upstream: `http://127.0.0.1:${upstream.port}`,
      settings: {
        'stay_afloat.providers.codex': { kind: 'codex', accounts: { 'max-1': { config_dir: '/nowhere/at/all' } } },
      },
    })
  })
  afterAll(async () => {
    await gateway.close()
    await upstream.stop(true)
  })
  const ask = (path: string, body?: object) =>
    fetch(`${gateway.url}${path}`, {
      headers: { authorization: `Bearer ${gateway.token}`, 'content-type': 'application/json' },
      ...(body ? { method: 'POST', body: JSON.stringify(body) } : {}),
    })

  test('a call is counted for its account, and each account has a gauge', async () => {
    const reply = await ask('/v1/chat/completions', {
      model: 'openai/gpt-4.1',
      messages: [{ role: 'user', content: 'x' }],
    })
    expect(reply.status).toBe(200)
    await reply.text()
    const by = await (await ask('/api/usage/summary?by=account')).json() as { data: Record<string, unknown>[] }
    expect(by.data).toContainEqual(
      expect.objectContaining({ key: 'openai', requests: 1, inputTokens: 3, outputTokens: 2 }),
    )
    const { board } = gateway.gateway.rooms
    board.lost('codex', 'max-1', 'token_revoked')
    const text = await (await ask('/metrics')).text()
    expect(text).toMatch(/^gw_attempts_total\{[^}]*account="openai"[^}]*\} 1$/m)
    expect(text).toContain('gw_account_usable{provider="openai",account="openai"} 1\n')
    expect(text).toContain('gw_account_usable{provider="codex",account="max-1"} 0\n')
    expect(text).toContain('gw_handoffs_waiting 0\n')
  })

  test('what was done is remembered, and can be paged', async () => {
    const scope = { provider: 'codex', account: 'max-1' }
    for (let i = 0; i < 3; i++) await (await ask('/api/repair/run', scope)).text()
    const page = async (query: string) =>
      await (await ask(`/api/repair/events?provider=codex&${query}`)).json() as {
        events: { outcome: string }[]
        next: number
      }
    const first = await page('limit=2')
    const second = await page(`limit=2&before=${first.next}`)
    expect([first, second].map(({ events }) => events.length)).toEqual([2, 1])
    const requests = await (await ask('/api/usage/requests?account=openai')).json() as { data: unknown[] }
    expect(requests.data.length).toBe(1)
  })
})
