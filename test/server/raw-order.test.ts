import { afterEach, expect, test } from 'bun:test'
import type { Json } from '../../lib/base/mod.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'

// A raw call gets its account as every other request does.

let limited = new Set<string>()
let asked: string[] = []
let close: (() => Promise<void>) | null = null
afterEach(async () => {
  await close?.()
  limited = new Set()
  asked = []
})

async function open(settings: Record<string, Json>): Promise<TestGateway> {
  const upstream = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch(request) {
      const key = request.headers.get('authorization')!.replace('Bearer ', '')
      asked.push(key)
      return limited.has(key)
        ? Response.json({ error: { message: 'slow down' } }, { status: 429, headers: { 'retry-after': '60' } })
        : Response.json({ object: 'list', data: [] })
    },
  })
  const base_url = `http://127.0.0.1:${upstream.port}/v1`
  const account = (token: string, priority: number) => ({ provider: 'openai', base_url, token, priority })
  const at = await startGateway({
    settings: {
      'egress.allow_origins': [new URL(base_url).origin],
      'accounts.one': account('k1', 1),
      'accounts.two': account('k2', 9),
      'accounts.three': { ...account('k3', 5), models: ['gpt-4.1'] },
      ...settings,
    },
  })
  close = async () => {
    await at.close()
    await upstream.stop(true)
  }
  return at
}

const raw = (at: TestGateway, headers: Record<string, string> = {}) =>
  fetch(`${at.url}/v1/proxy/openai/models`, { headers: { authorization: `Bearer ${at.token}`, ...headers } })

test('by the strategy that is configured, or that the call names', async () => {
  const at = await open({ 'routing.strategy': 'priority' })
  for (let i = 0; i < 2; i++) expect((await raw(at)).status).toBe(200)
  expect(asked.splice(0)).toEqual(['k2', 'k2'])
  for (let i = 0; i < 4; i++) await raw(at, { 'x-gw-strategy': 'round-robin' })
  expect(new Set(asked.splice(0))).toEqual(new Set(['k1', 'k2']))
})

test('one that rests is passed over; when all rest, the call is told until when', async () => {
  const at = await open({ 'routing.strategy': 'priority' })
  limited.add('k2')
  expect((await raw(at)).status).toBe(429)
  expect((await raw(at)).status).toBe(200)
  expect(asked.splice(0)).toEqual(['k2', 'k1'])
  at.gateway.rooms.board.lost('openai', 'one', 'token_revoked')
  expect((await raw(at)).status).toBe(200)
  // The last one may be used for one model only; which a raw call is about, nobody looks.
  expect(asked.splice(0)).toEqual(['k3'])
  limited.add('k3')
  expect((await raw(at)).status).toBe(429)
  at.gateway.rooms.board.lost('openai', 'three', 'token_revoked')
  const none = await raw(at)
  expect([none.status, Number(none.headers.get('retry-after')) > 0]).toEqual([503, true])
  expect(await none.text()).toContain('openai:two')
  expect(asked).toEqual(['k3'])
})
