import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { type Board, createBoard, keysOf, quotaRows, summarize } from '../../../lib/liveness/mod.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openStorage, type Storage } from '../../../lib/storage/mod.ts'
import { account, bench, call, failure, ids, noon, quotaWindow } from '../routing/support.ts'

const folder = mkdtempSync(join(tmpdir(), 'gw-board-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const target = { provider: 'anthropic', account: 'max' as never, capability: 'chat', model: 'claude-opus-4-7' } as const
const keys = keysOf(target)
let count = 0

async function home(path = join(folder, `${count++}.sqlite`), clock = manualClock(noon)) {
  const platform = await detectPlatform()
  const open = async (): Promise<{ storage: Storage; board: Board }> => {
    const storage = await openStorage({ platform, clock, path })
    return { storage, board: await createBoard({ storage, clock, random: () => 0.5, logger: silentLogger }) }
  }
  return { clock, open }
}

test('the board survives a restart, without what has expired', async () => {
  const { clock, open } = await home()
  const { storage, board } = await open()
  board.observe(target, { is: 'failure', failure: failure('rate_limited', { retryAfterMs: 20_000 }) })
  board.observe({ ...target, account: 'b' as never }, {
    is: 'failure',
    failure: failure('quota_exhausted', { scope: 'account', retryAfterMs: 7_200_000 }),
  })
  board.lost('anthropic', 'c', 'auth_permanently_failed')
  board.close()
  await storage.close()
  await clock.advance(30_000)
  const again = await open()
  expect(again.board.all().map((one) => [one.key as string, summarize(one.liveness, clock.now())])).toEqual([
    ['anthropic:b', `quota_exhausted:reset@${Math.floor((noon + 7_200_000 + 15_500) / 1000)}`],
    ['anthropic:c', 'dead:auth_permanently_failed'],
    ['anthropic:max#chat/claude-opus-4-7', 'available'],
  ])
  again.board.close()
  await again.storage.close()
})

test('two processes share what they learn, and good news does not erase the trouble another one saw', async () => {
  const { clock, open } = await home()
  const a = await open()
  const b = await open()
  b.board.observe(target, { is: 'success', windows: [quotaWindow({ used: 0.5 })] })
  await b.storage.batch.flush()
  await clock.advance(100)
  a.board.observe(target, {
    is: 'failure',
    failure: failure('quota_exhausted', { scope: 'account', retryAfterMs: 9_000_000 }),
  })
  await a.storage.batch.flush()
  await clock.advance(6_000)
  b.board.observe(target, { is: 'success' })
  await b.storage.batch.flush()
  await b.board.sync()
  expect(summarize(b.board.get(keys.account)!.liveness, clock.now())).toStartWith('quota_exhausted')
  expect(b.board.troubled.has(keys.account)).toBe(true)
  for (const { board, storage } of [a, b]) {
    board.close()
    await storage.close()
  }
})

test('a row of its own that is older than what it knows is not believed again', async () => {
  const { clock, open } = await home()
  const a = await open()
  a.board.lost('anthropic', 'max', 'token_revoked')
  await a.storage.batch.flush()
  await clock.advance(50)
  a.board.reset(keys.account)
  await a.board.sync()
  expect(summarize(a.board.get(keys.account)!.liveness, clock.now())).toBe('available')
  await a.storage.batch.flush()
  await a.board.sync()
  expect(summarize(a.board.get(keys.account)!.liveness, clock.now())).toBe('available')
  a.board.close()
  await a.storage.close()
})

test('damaged and foreign rows are forgotten, not believed', async () => {
  const { open } = await home()
  const first = await open()
  for (const [key, version, value] of [['x:1', 1, '{"liveness":'], ['x:2', 1, '{}'], ['x:3', 99, '{}']] as const) {
    await first.storage.db.insertInto('liveness').values({ key, version, value, updated_ms: noon }).execute()
  }
  await first.storage.close()
  const second = await open()
  expect(second.board.all()).toEqual([])
  second.board.close()
  await second.storage.close()
})

test('a failure lands on the key that it says something about', async () => {
  const { open } = await home()
  const { storage, board } = await open()
  const fails = (kind: Parameters<typeof failure>[0], scope: 'account' | 'model' | 'provider' | 'request' | 'local') =>
    board.observe(target, { is: 'failure', failure: failure(kind, { scope }) })
  fails('rate_limited', 'model')
  expect(board.get(keys.account)).toBeNull()
  fails('entitlement', 'request')
  fails('local', 'local')
  expect(board.all()).toHaveLength(1)
  fails('unauthorized', 'account')
  expect(board.get(keys.account)!.liveness.state).toBe('dead')
  board.refreshed('anthropic', 'max')
  expect(board.get(keys.account)!.liveness.state).toBe('live')
  expect(board.get(keys.model)!.liveness).toMatchObject({ state: 'live', availability: { is: 'rate_limited' } })
  expect(board.reset(keys.account)).toBe(true)
  expect(board.troubled.size).toBe(0)
  board.forget('anthropic', 'max')
  expect(board.all()).toEqual([])
  board.close()
  await storage.close()
})

test('ten thousand made-up models do not fill the memory', async () => {
  const { open } = await home()
  const { storage, board } = await open()
  board.observe(target, { is: 'failure', failure: failure('unauthorized', { scope: 'account' }) })
  for (let i = 0; i < 10_050; i++) {
    board.observe({ ...target, account: 'b' as never, model: `m${i}` }, { is: 'success' })
  }
  expect(board.all().length).toBeLessThanOrEqual(10_000)
  expect(board.get(keys.account)!.liveness.state).toBe('dead')
  board.close()
  await storage.close()
})

test('quotaRows() shows use, reset and age, and empties a window whose reset has passed', async () => {
  const { clock, open } = await home()
  const { storage, board } = await open()
  board.observe(target, {
    is: 'success',
    windows: [
      quotaWindow({ id: '5h', lengthMs: 18_000_000, used: 0.8, resetsAt: noon + 60_000 }),
      quotaWindow({ used: 0.3, resetsAt: noon + 86_400_000 }),
    ],
  })
  await clock.advance(120_000)
  expect(quotaRows(board.all(), clock.now())).toMatchObject([
    { account: 'max', window: '5h', used: 0, resetsAt: null, passed: true, ageMs: 120_000 },
    { account: 'max', window: '7d', used: 0.3, resetsAt: noon + 86_400_000, passed: false, ageMs: 120_000 },
  ])
  board.close()
  await storage.close()
})

test('sessions survive a restart and are free after their silence', async () => {
  const clock = manualClock(noon)
  const path = join(folder, 'sessions.sqlite')
  const platform = await detectPlatform()
  const headers = new Headers({ 'x-gw-session': 's' })
  const ask = call('anthropic/claude-opus-4-7', { headers })
  const accounts = [account('a', 'anthropic'), account('b', 'anthropic')]
  const first = await openStorage({ platform, clock, path })
  const one = await bench(accounts, { storage: first, clock })
  const plan = one.router.plan(ask)
  one.router.claim(plan, 1)!.end({ is: 'answered' })
  const bound = ids(plan)[1]!
  await first.close()
  const second = await openStorage({ platform, clock, path })
  const two = await bench(accounts, { storage: second, clock })
  expect(two.router.plan(ask).session).toMatchObject({ boundTo: bound })
  await clock.advance(61 * 60_000)
  expect(two.router.plan(ask).session).toMatchObject({ boundTo: null })
  await second.close()
})
