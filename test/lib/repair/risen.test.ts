import { afterEach, expect, test } from 'bun:test'
import type { TargetKey } from '../../../lib/accounts/mod.ts'
import type { RunProgram } from '../../../lib/repair/context.ts'
import { createHost } from '../../../lib/repair/host.ts'
import { createInventory } from '../../../lib/repair/inventory/inventory.ts'
import { inventorySchema } from '../../../lib/repair/inventory/schema.ts'
import { mourn, raise, raiseLoud } from '../../../lib/repair/risen.ts'
import { openWorld, type World } from './world.ts'

const minute = 60_000
const key = 'toy:mine' as TargetKey
const never = new AbortController().signal
const closers: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const backends = {
  command: { backend: 'command', command: ['give-token'] },
  keychain: { backend: 'keychain', service: 'toy', account: 'mine' },
  sops: { backend: 'sops', path: '~/toy.sops' },
  age: { backend: 'age', path: '~/toy.age', identity: '~/toy.key' },
} as const

/** An account whose credential a program gives: what it prints is what `give` returns. */
async function world(
  give: RunProgram,
  { secret = backends.command, policy = {} }: { secret?: object; policy?: object } = {},
): Promise<World> {
  const inventory = createInventory(
    inventorySchema().parse({
      provider_definitions: { toy: { name: 'toy', capabilities: [{ name: 'chat' }] } },
      providers: { toy: { kind: 'toy', accounts: { mine: { secret } } } },
      policy,
    }),
  )
  const opened = await openWorld({ inventory: () => inventory, runProgram: give })
  closers.push(() => opened.close())
  return opened
}

const prints = (token: () => string): RunProgram => () =>
  Promise.resolve({ status: 0, stdout: `${token()}\n`, stderr: '', timedOut: false, truncated: false } as never)

const stateOf = ({ board }: World) => board.get(key)!.liveness.state
const look = ({ repair }: World) => raiseLoud(repair.context, never)

async function dies(of: World): Promise<void> {
  of.board.lost('toy', 'mine', 'token_revoked')
  await mourn(of.repair.context, key, never)
}

for (const [name, secret] of Object.entries(backends)) {
  test(`${name}: another credential brings the account back, looked at five minutes after it died and ever less often`, async () => {
    let token = 'revoked'
    const toy = await world(prints(() => token), { secret })
    await dies(toy)
    expect(toy.ran).toHaveLength(1)
    for (const [waits, runs] of [[4, 1], [1, 2], [9, 2], [1, 3], [19, 3], [1, 4]] as const) {
      await toy.clock.advance(waits * minute)
      expect([await look(toy), toy.ran.length, stateOf(toy)]).toEqual([0, runs, 'dead'])
    }
    token = 'another'
    await toy.clock.advance(39 * minute)
    expect([await look(toy), stateOf(toy)]).toEqual([0, 'dead'])
    await toy.clock.advance(minute)
    expect([await look(toy), stateOf(toy)]).toEqual([1, 'live'])
    // What died again begins to be looked at as early as the first time.
    await dies(toy)
    const runs = toy.ran.length
    await toy.clock.advance(5 * minute)
    expect([await look(toy), toy.ran.length]).toEqual([0, runs + 1])
  })
}

test('a program runs some thirty times in a day at most, however often it is asked for, and by one process of the home', async () => {
  const toy = await world(prints(() => 'revoked'))
  const sibling = await toy.sibling()
  closers.push(() => sibling.close())
  await dies(toy)
  await toy.storage.batch.flush()
  await sibling.board.sync()
  for (let at = 0; at < 24 * 60; at += 10) {
    await toy.clock.advance(10 * minute)
    await look(toy)
    await look(sibling)
  }
  expect(toy.ran.length + sibling.ran.length).toBeGreaterThan(20)
  expect(toy.ran.length + sibling.ran.length).toBeLessThan(30)
})

test('no program runs where the policy does not let one run unasked', async () => {
  const toy = await world(prints(() => 'another'), { policy: { daemon: { allowed_budgets: ['free_local'] } } })
  await dies(toy)
  await toy.clock.advance(24 * 60 * minute)
  expect([await look(toy), toy.ran, stateOf(toy)]).toEqual([0, [], 'dead'])
})

test('looking quietly runs no program', async () => {
  const toy = await world(prints(() => 'another'))
  toy.board.lost('toy', 'mine', 'token_revoked')
  await toy.clock.advance(24 * 60 * minute)
  expect([await raise(toy.repair.context), toy.ran]).toEqual([0, []])
})

test('a program that cannot tell is no replacement: a locked keychain, a sign-in that is missing', async () => {
  let fails = false
  const toy = await world((...given) => fails ? Promise.reject(new Error('locked')) : prints(() => 'revoked')(...given))
  await dies(toy)
  fails = true
  await toy.clock.advance(5 * minute)
  expect([await look(toy), toy.ran.length, stateOf(toy)]).toEqual([0, 2, 'dead'])
})

test('a program that never ends holds up nobody for more than a minute, and not the end of gw', async () => {
  let hangs = false
  const toy = await world((...given) => hangs ? new Promise(() => {}) : prints(() => 'revoked')(...given))
  await dies(toy)
  hangs = true
  await toy.clock.advance(5 * minute)
  let done = false
  const looking = look(toy).then((risen) => {
    done = true
    return risen
  })
  while (toy.ran.length < 2) await new Promise((resolve) => setImmediate(resolve))
  expect(done).toBe(false)
  await toy.clock.advance(minute)
  expect(await looking).toBe(0)

  await toy.clock.advance(10 * minute)
  const stop = new AbortController()
  const ended = raiseLoud(toy.repair.context, stop.signal)
  while (toy.ran.length < 3) await new Promise((resolve) => setImmediate(resolve))
  stop.abort()
  expect(await ended).toBe(0)
})

test('a gateway at work looks by itself, unless it is told to leave its accounts alone', async () => {
  for (const enabled of [true, false]) {
    let token = 'revoked'
    const toy = await world(prints(() => token))
    const settings = { enabled, execute: true, intervalMs: 24 * 60 * minute, refreshAheadMs: 0 }
    const host = createHost(toy.repair.context, () => settings, () => 0)
    host.start()
    toy.board.lost('toy', 'mine', 'token_revoked')
    await host.handing()
    while (enabled && toy.ran.length < 1) await new Promise((resolve) => setImmediate(resolve))
    token = 'another'
    for (let second = 0; second < 330 && stateOf(toy) === 'dead'; second++) {
      await toy.clock.advance(1_000)
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    await host.stop()
    expect([stateOf(toy), toy.ran.length]).toEqual(enabled ? ['live', 2] : ['dead', 0])
  }
})
