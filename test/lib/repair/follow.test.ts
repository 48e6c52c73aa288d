import { afterEach, expect, test } from 'bun:test'
import { toyInventory } from './toy.ts'
import { openWorld, type World } from './world.ts'

let worlds: World[] = []
afterEach(async () => {
  for (const world of worlds.reverse()) await world.close()
  worlds = []
})

const event = (reason: string) => ({ kind: 'daemon_action', outcome: 'noop', ok: true, reason }) as const

test('following starts now, resumes where it was left, hears other processes, and ends when told', async () => {
  const inventory = toyInventory()
  const world = await openWorld({ inventory: () => inventory })
  worlds.push(world)
  const sibling = await world.sibling()
  worlds.push(sibling)
  await world.repair.events.append(event('before'))
  const stop = new AbortController()
  const live = world.repair.events.follow({ signal: stop.signal })
  const first = live.next()
  // The follower must have looked once, or what is appended now would count as old.
  await new Promise((resolve) => setTimeout(resolve, 20))
  await world.repair.events.append(event('mine'))
  const mine = (await first).value!
  expect(mine.event.reason).toBe('mine')

  const second = live.next()
  await sibling.repair.events.append(event('theirs'))
  let over = false
  const heard = second.finally(() => over = true)
  while (!over) {
    await world.clock.advance(500)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect((await heard).value!.event.reason).toBe('theirs')

  const again = world.repair.events.follow({ after: mine.position, signal: stop.signal })
  expect((await again.next()).value!.event.reason).toBe('theirs')

  const waiting = live.next()
  stop.abort()
  expect((await waiting).done).toBe(true)
})

test('a follower that was away reads everything it missed, in order', async () => {
  const inventory = toyInventory()
  const world = await openWorld({ inventory: () => inventory })
  worlds.push(world)
  const line = (n: number) => JSON.stringify({ ts: n, kind: 'repair_run', outcome: 'noop', ok: true, reason: `${n}` })
  await world.repair.events.import(Array.from({ length: 250 }, (_, n) => line(n)).join('\n'))
  const stop = new AbortController()
  const seen: string[] = []
  for await (const { event } of world.repair.events.follow({ after: 0, signal: stop.signal })) {
    seen.push(event.reason!)
    if (seen.length === 250) stop.abort()
  }
  expect(seen).toEqual(Array.from({ length: 250 }, (_, n) => `${n}`))
})
