import { expect, test } from 'bun:test'
import { type LineOptions, openLine } from './harness.ts'

// An account that waits for a person is named on the answers that went without it.

const waiting = [
  { provider: 'fake', account: 'a1', command: 'gw auth login fake --account a1' },
  { provider: 'fake', account: 'a1', command: 'gw auth login fake --account a1' },
  { provider: 'fake', account: 'zoë\r\nx-evil: 1', command: null },
  { provider: 'other', account: 'a0', command: 'gw auth login other' },
]

async function answerWith(dropped: readonly string[], served: boolean, pending: LineOptions['rooms'] = {}) {
  const far = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: () =>
      served
        ? Response.json({ id: 'c', choices: [{ message: { content: 'hi' } }] })
        : new Response('{"error":{}}', { status: 500 }),
  })
  const line = await openLine({
    urls: [`http://127.0.0.1:${far.port}/v1`],
    rooms: { waiting: () => waiting, ...pending },
  })
  const { plan } = line.rooms.router
  line.rooms.router.plan = (question) => {
    const made = plan(question)
    const [first] = made.targets
    return {
      ...made,
      dropped: dropped.map((account) => ({
        target: { ...first!.target, account: account as never },
        because: 'dead' as const,
        detail: 'dead',
        until: null,
      })),
    }
  }
  try {
    const reply = await line.post('/v1/chat/completions', { model: 'm', messages: [] })
    await reply.text()
    return reply
  } finally {
    line.close()
    far.stop(true)
  }
}

test('an answer that went without an account names it once, with the command that mends it', async () => {
  const reply = await answerWith(['a1', 'a2'], true)
  expect([reply.status, reply.headers.get('x-gw-handoff')]).toEqual([200, 'fake:a1 gw auth login fake --account a1'])
})

test('so does a refusal', async () => {
  const reply = await answerWith(['a1'], false)
  expect(reply.status).toBeGreaterThanOrEqual(500)
  expect(reply.headers.get('x-gw-handoff')).toBe('fake:a1 gw auth login fake --account a1')
})

test('the name of an account cannot write a header of its own', async () => {
  const reply = await answerWith(['zoë\r\nx-evil: 1'], true)
  expect(reply.headers.get('x-evil')).toBeNull()
  expect(reply.headers.get('x-gw-handoff')).toBe('fake:zo???x-evil: 1 gw stay-afloat handoffs')
})

for (
  const [what, dropped, rooms] of [
    ['nothing was left out', [], {}],
    ['what was left out waits for nobody', ['a3'], {}],
    ['nothing waits', ['a1'], { waiting: () => [] }],
  ] as const
) {
  test(`no header when ${what}`, async () => {
    expect((await answerWith(dropped, true, rooms)).headers.get('x-gw-handoff')).toBeNull()
  })
}
