import { afterAll, expect, test } from 'bun:test'
import { type JsonObject, type PrincipalId, sseParser } from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { createTurnStore } from '../../../lib/gateway/mod.ts'
import type { TurnBounds } from '../../../lib/gateway/turn-store.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openStorage } from '../../../lib/storage/mod.ts'
import { type LineOptions, openLine } from './harness.ts'

const closers: (() => unknown)[] = []
afterAll(() => Promise.all(closers.map((close) => close())))

async function openStore(bounds: Partial<TurnBounds> = {}) {
  const clock = manualClock()
  const storage = await openStorage({ platform: await detectPlatform(), clock, path: ':memory:' })
  closers.push(() => storage.close())
  const turns = createTurnStore({
    storage,
    clock,
    bounds: () => ({ keepMs: 1_000, maxBytes: 100_000, ...bounds }),
  })
  return { clock, storage, turns }
}

const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'm',
  content: [{ type: 'text', text: 'Paris' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 3, output_tokens: 1 },
}
const streamed = [
  { type: 'message_start', message: { ...message, content: [], stop_reason: null } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Paris' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 1 } },
  { type: 'message_stop' },
].map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join('')

/** An upstream of the messages protocol, which keeps nothing, and a line to it. */
async function forgetful(turns: NonNullable<LineOptions['rooms']>['turns'], options: Partial<LineOptions> = {}) {
  const seen: JsonObject[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const body = await request.json() as JsonObject
      seen.push(body)
      return body.stream === true
        ? new Response(streamed, { headers: { 'content-type': 'text/event-stream' } })
        : Response.json(message)
    },
  })
  closers.push(() => server.stop(true))
  const url = `http://127.0.0.1:${server.port}`
  const line = await openLine({ urls: [url], protocol: 'anthropic-messages', rooms: { turns: turns! }, ...options })
  closers.push(() => line.close())
  return { line, seen, url }
}

/** The response in the closing event of a stream. */
const closing = (text: string): JsonObject => {
  const last = sseParser().push(new TextEncoder().encode(text)).findLast(({ data }) => data !== '[DONE]')!
  return (JSON.parse(last.data) as { response: JsonObject }).response
}

for (const stream of [false, true]) {
  test(`previous_response_id is served where the upstream keeps nothing${stream ? ', in streams' : ''}`, async () => {
    const { turns } = await openStore()
    const { line, seen } = await forgetful(turns)
    const ask = async (body: JsonObject): Promise<JsonObject> => {
      const reply = await line.post('/v1/responses', { model: 'm', stream, ...body })
      expect(reply.status).toBe(200)
      expect(reply.headers.get('x-gw-losses')).toBeNull()
      const text = await reply.text()
      return stream ? closing(text) : JSON.parse(text) as JsonObject
    }
    const first = await ask({ input: 'capital of France?', store: true })
    const second = await ask({ input: 'and of Spain?', previous_response_id: first.id! })
    expect(second).toMatchObject({ previous_response_id: first.id!, store: true })
    expect(seen[1]!.messages).toMatchObject([
      { role: 'user', content: [{ text: 'capital of France?' }] },
      { role: 'assistant', content: [{ text: 'Paris' }] },
      { role: 'user', content: [{ text: 'and of Spain?' }] },
    ])
    await ask({ input: 'third', previous_response_id: second.id! })
    expect((seen[2]!.messages as unknown[]).length).toBe(5)

    const shown = await line.fetch(`/v1/responses/${String(second.id)}`)
    expect(await shown.json()).toEqual(second)
    expect(await (await line.fetch(`/v1/responses/${String(second.id)}`, { method: 'DELETE' })).json())
      .toMatchObject({ deleted: true })
    expect((await line.fetch(`/v1/responses/${String(second.id)}`)).status).toBe(404)
  })
}

test('what a caller does not want kept is not kept', async () => {
  const { turns } = await openStore()
  const { line } = await forgetful(turns)
  const first = await (await line.post('/v1/responses', { model: 'm', input: 'hi', store: false })).json() as JsonObject
  expect(await turns.load(String(first.id), 'tok_1')).toBeNull()
  const reply = await line.post('/v1/responses', { model: 'm', input: 'on', previous_response_id: first.id! })
  expect(reply.status).toBe(404)
  expect(await reply.json()).toMatchObject({
    error: { param: 'previous_response_id', message: expect.stringContaining('not found') },
  })
})

test("another token's turn looks like none", async () => {
  const { turns } = await openStore()
  const { line, seen, url } = await forgetful(turns)
  const first = await (await line.post('/v1/responses', { model: 'm', input: 'secret' })).json() as JsonObject
  const other = await openLine({
    urls: [url],
    protocol: 'anthropic-messages',
    principal: { id: 'tok_2' as PrincipalId },
    rooms: { turns },
  })
  closers.push(() => other.close())
  const said = async (id: string) => {
    const reply = await other.post('/v1/responses', { model: 'm', input: 'x', previous_response_id: id })
    return { status: reply.status, text: (await reply.text()).replaceAll(id, 'ID') }
  }
  expect(await said(String(first.id))).toEqual(await said('resp_0000000000'))
  expect((await other.fetch(`/v1/responses/${String(first.id)}`)).status).toBe(404)
  expect((await other.fetch(`/v1/responses/${String(first.id)}`, { method: 'DELETE' })).status).toBe(404)
  expect(seen.length).toBe(1)
  expect(await turns.load(String(first.id), 'tok_1')).not.toBeNull()
})

const turn = (id: string, principal = 'p', size = 10) => ({
  id,
  principal,
  items: [{ type: 'message', role: 'user', content: 'x'.repeat(size) }],
  response: { id },
  createdAt: 0,
})

test('createTurnStore() forgets what is past its time', async () => {
  const { clock, storage, turns } = await openStore()
  turns.save(turn('a'))
  expect(await turns.load('a', 'p')).toEqual(turn('a'))
  await clock.advance(1_000)
  expect(await turns.load('a', 'p')).toBeNull()
  turns.save(turn('b'))
  await storage.batch.flush()
  const rows = await storage.db.selectFrom('response_turns').select('id').execute()
  expect(rows).toEqual([{ id: 'b' }])
})

test('createTurnStore() keeps the newest of a principal within its bound, and nothing of others is touched', async () => {
  const { storage, turns } = await openStore({ maxBytes: 10_000 })
  turns.save(turn('other', 'q', 5_000))
  for (let i = 0; i < 20; i++) turns.save({ ...turn(`t${i}`, 'p', 2_000), createdAt: i })
  turns.save(turn('huge', 'p', 20_000))
  await storage.batch.flush()
  const rows = await storage.db.selectFrom('response_turns').select('id').orderBy('created_ms').execute()
  expect(rows.map(({ id }) => id)).toEqual(['other', 't16', 't17', 't18', 't19'])
})

test('createTurnStore() with no time to keep keeps nothing', async () => {
  const { storage, turns } = await openStore({ keepMs: 0 })
  turns.save(turn('a'))
  expect(storage.batch.waiting).toBe(0)
  expect(await turns.load('a', 'p')).toBeNull()
})
