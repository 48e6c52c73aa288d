import { afterAll, beforeAll, expect, test } from 'bun:test'
import { Secret } from '../../lib/base/mod.ts'
import { cli } from '../client/support.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { within } from '../support/wait.ts'

// A login that died, from the request that did without it to the person who mends it.

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
    }),
})
let at: TestGateway
beforeAll(async () => {
  const base = `http://127.0.0.1:${upstream.port}`
  at = await startGateway({
    upstream: base,
    settings: {
      'stay_afloat.interval_secs': 1,
      'accounts.plan': { provider: 'openai', base_url: `${base}/v1`, login: 'chatgpt', allow_undocumented_use: true },
    },
  })
  const { logins } = at.gateway.rooms
  await logins.keepToken(logins.own('chatgpt'), new Secret('at-1'), new Secret('rt-1'), Date.now() + 3_600_000)
})
afterAll(async () => {
  await at.close()
  await upstream.stop(true)
})

const authorization = () => ({ authorization: `Bearer ${at.token}` })
const ask = async () => {
  const reply = await fetch(`${at.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { ...authorization(), 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'openai/gpt-4.1', messages: [{ role: 'user', content: 'x' }] }),
  })
  await reply.text()
  return reply
}
/** The first answer that names the account; the gateway looks by itself every second here. */
async function untilNamed() {
  for (;;) {
    const reply = await ask()
    if (reply.headers.get('x-gw-handoff') !== null) return reply
    await Bun.sleep(50)
  }
}
const api = async (name: string, input: object) => {
  const reply = await fetch(`${at.url}/api/${name}`, {
    method: 'POST',
    headers: { ...authorization(), 'content-type': 'application/json' },
    body: JSON.stringify(input),
  })
  return await reply.json() as Record<string, unknown>
}
const gw = async (...argv: string[]) => (await cli(['--url', at.url, ...argv], { env: { GW_TOKEN: at.token } })).stdout

/** Reads the event stream until it tells of this outcome; the id of each event beside it. */
async function watch(outcome: string, lastId: string) {
  const stop = new AbortController()
  const input = `?input=${encodeURIComponent(JSON.stringify({ lastEventId: lastId }))}`
  const reply = await fetch(`${at.url}/trpc/repair.watch${input}`, {
    headers: { ...authorization(), accept: 'text/event-stream' },
    signal: stop.signal,
  })
  expect(reply.headers.get('content-type')).toContain('text/event-stream')
  const said: { id: string; event: Record<string, unknown> }[] = []
  const reading = (async () => {
    let text = ''
    const decoder = new TextDecoder()
    for await (const bytes of reply.body!) {
      text += decoder.decode(bytes, { stream: true })
      const blocks = text.split('\n\n')
      text = blocks.pop()!
      for (const block of blocks) {
        const id = /^id: ?(.*)$/m.exec(block)?.[1]
        const data = /^data: ?(.*)$/m.exec(block)?.[1]
        if (id && data) said.push({ id, event: JSON.parse(data) })
      }
      if (said.some(({ event }) => event.outcome === outcome)) return
    }
  })()
  return {
    async done() {
      await within(10_000, 'the event stream', reading)
      stop.abort()
      return said
    },
  }
}

test('header, status, stream, acknowledgement, clearing', async () => {
  expect((await ask()).headers.get('x-gw-handoff')).toBeNull()
  const live = await watch('handoff_queued', '0')
  at.gateway.rooms.board.lost('openai', 'plan', 'auth_permanently_failed')
  const ticked = await api('afloat/tick', { provider: 'openai', account: 'plan', execute: true })
  // Who loses a login says so at once: the tick may find that already done.
  expect(ticked.handoff_pending).toBe(true)
  const [queued] = await live.done()
  expect(queued!.event).toMatchObject({ outcome: 'handoff_queued', provider: 'openai', account: 'plan' })

  const affected = await within(20_000, 'a look of the gateway', untilNamed())
  expect(affected.status).toBe(200)
  expect(affected.headers.get('x-gw-handoff')).toMatch(/^openai:plan gw /)
  expect(await gw('status')).toMatch(/needs you: openai:plan/)
  const metrics = await (await fetch(`${at.url}/metrics`, { headers: authorization() })).text()
  expect(metrics).toMatch(/^gw_handoffs_waiting [1-9]/m)

  const capability = queued!.event.capability as string | null
  const key = { provider: 'openai', account: 'plan', ...(capability === null ? {} : { capability }) }
  expect(await api('afloat/ack', key)).toMatchObject({ reason: 'user_acknowledged', handoff_pending: true })
  expect((await ask()).headers.get('x-gw-handoff')).toMatch(/^openai:plan /)
  expect(await api('afloat/clear', key)).toMatchObject({ reason: 'manual_clear', handoff_resolved: true })

  // Somebody who was away reads on after the last one seen.
  const resumed = await (await watch('handoff_resolved', queued!.id)).done()
  expect(resumed.map(({ event }) => event.outcome).filter((outcome) => outcome !== 'handoff_queued')).toEqual([
    'handoff_acknowledged',
    'handoff_resolved',
  ])
  expect(resumed.map(({ id }) => id)).not.toContain(queued!.id)
})
