import { expect, test } from 'bun:test'
import { Beginnings } from '../../../lib/gateway/begin.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('a burst of requests begins in the order in which it came, some in each turn of the event loop', async () => {
  const beginnings = new Beginnings()
  const begun: number[] = []
  for (let i = 0; i < 1000; i++) {
    const wait = beginnings.next()
    if (wait === null) begun.push(i)
    else void wait.then(() => begun.push(i))
  }
  const perTurn = begun.length
  expect(perTurn).toBeGreaterThan(0)
  expect(perTurn).toBeLessThan(1000)
  const seen = [begun.length]
  while (begun.length < 1000) {
    await turn()
    seen.push(begun.length)
  }
  expect(begun).toEqual([...begun.keys()])
  for (let i = 1; i < seen.length; i++) expect(seen[i]! - seen[i - 1]!).toBeLessThanOrEqual(perTurn)
})

test('who comes alone begins at once, also after a burst and never before those who wait', async () => {
  const beginnings = new Beginnings()
  expect(beginnings.next()).toBe(null)
  const order: string[] = []
  for (let i = 0; i < 1000; i++) void beginnings.next()?.then(() => order.push('burst'))
  await turn()
  const late = beginnings.next()
  expect(late).not.toBe(null)
  await late!.then(() => order.push('late'))
  expect(order.indexOf('late')).toBe(order.filter((who) => who === 'burst').length)
  await turn()
  await turn()
  expect(beginnings.next()).toBe(null)
})
