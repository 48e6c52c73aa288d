import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jsonLogger } from '../../lib/base/mod.ts'
import { createGateway } from '../../lib/create-gateway.ts'
import { startServer } from '../../server/main.ts'
import { openServed, type ServedGateway } from './served.ts'

const most = 4096
let served: ServedGateway
beforeAll(async () => {
  served = await openServed({ GW_LIMITS_BODY_BYTES: String(most) })
})
afterAll(() => served.close())

const post = (path: string, body: BodyInit) =>
  fetch(served.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/json' },
    body,
  })
const large = 'x'.repeat(3 * most)
const unsized = () =>
  new ReadableStream({
    start(controller) {
      for (let i = 0; i < 3; i++) controller.enqueue(new TextEncoder().encode('x'.repeat(most)))
      controller.close()
    },
  })

for (const [how, body] of [['with its length', () => large], ['without its length', unsized]] as const) {
  test(`a body that is too large, sent ${how}, is refused with 413 in the shape of its path`, async () => {
    const chat = await post('/v1/chat/completions', body())
    expect([chat.status, (await chat.json()).error.code]).toEqual([413, 'request_too_large'])
    const message = await post('/v1/messages', body())
    expect([message.status, (await message.json()).error.type]).toEqual([413, 'request_too_large'])
    const admin = await post('/api/tokens', body())
    expect([admin.status, (await admin.json()).code]).toEqual([413, 'request_too_large'])
    const typed = await post('/trpc/tokens.issue', body())
    expect(typed.status).toBeGreaterThanOrEqual(400)
    expect(typed.status).not.toBe(500)
    await typed.text()
  })
}

test('a model that its provider does not know stays 404, however often it is asked for', async () => {
  for (let i = 0; i < 3; i++) {
    const answer = await post(
      '/v1/chat/completions',
      '{"model":"demo/no-such","messages":[{"role":"user","content":"x"}]}',
    )
    const { error } = await answer.json()
    expect([answer.status, error.code]).toEqual([404, 'model_not_found'])
  }
})

test('while streams finish, everything new is told to go elsewhere', async () => {
  const own = await openServed()
  const stream = await fetch(`${own.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${own.token}`, 'content-type': 'application/json' },
    body: '{"model":"demo-slow","stream":true,"messages":[{"role":"user","content":"hello"}]}',
  })
  const reader = stream.body!.getReader()
  const { value: first } = await reader.read()
  const closed = own.close(20_000)
  const ready = await fetch(`${own.url}/readyz`)
  expect(ready.status).toBe(503)
  const late = await fetch(`${own.url}/v1/models`, { headers: { authorization: `Bearer ${own.token}` } })
  expect([late.status, (await late.json()).error.code]).toEqual([503, 'server_draining'])
  let text = new TextDecoder().decode(first)
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += new TextDecoder().decode(part.value)
  }
  expect(text).toEndWith('data: [DONE]\n\n')
  await closed
  await expect(fetch(`${own.url}/readyz`)).rejects.toThrow()
}, 30_000)

test('a port that is taken is named, with what to do', async () => {
  const own = await openServed()
  const port = Number(new URL(own.url).port)
  const second = startServer(served.gateway, { port })
  await expect(second).rejects.toMatchObject({ code: 'server.port_in_use', hint: expect.stringContaining('--port') })
  await own.close()
})

test('a config file that turns bad while gw runs is logged with file, line and key, and the old one stays', async () => {
  const root = mkdtempSync(join(tmpdir(), 'gw-reload-'))
  const log: string[] = []
  const path = join(root, 'config.toml')
  writeFileSync(path, '[routing]\nstrategy = "priority"\n', { mode: 0o600 })
  const logger = jsonLogger((line) => log.push(line), { level: 'info' })
  const gateway = await createGateway({ home: root, cwd: root, env: {}, keychain: null, logger })
  writeFileSync(path, '[routing]\nstrategee = "priority"\n')
  await gateway.rooms.config.reload()
  expect(gateway.rooms.config.current().config.routing.strategy).toBe('priority')
  const refused = log.find((line) => line.includes('config.refused'))!
  expect(refused).toContain(`${path}:2: routing.strategee: unknown key`)
  writeFileSync(path, '[routing]\nstrategy = "weighted"\n')
  await gateway.rooms.config.reload()
  expect(gateway.rooms.config.current().config.routing.strategy).toBe('weighted')
  expect(log.some((line) => line.includes('config.applied'))).toBe(true)
  await gateway.close()
  rmSync(root, { recursive: true, force: true })
})
