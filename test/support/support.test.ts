import { expect, test } from 'bun:test'
import { fakeUpstream } from './fake-upstream.ts'
import { rawClient } from './raw-client.ts'
import { gate, within } from './wait.ts'

test('fakeUpstream() answers by script, one step per request, and records what came', async () => {
  await using upstream = await fakeUpstream([
    (exchange) => exchange.json({ first: true }),
    (exchange) => exchange.json({ error: 'slow down' }, { status: 429, headers: { 'retry-after': '7' } }),
  ])
  const post = (body: string): Promise<Response> => fetch(`${upstream.url}/v1/x?a=1`, { method: 'POST', body })
  expect(await (await post('{"n":1}')).json()).toEqual({ first: true })
  const second = await post('{"n":2}')
  expect([second.status, second.headers.get('retry-after')]).toEqual([429, '7'])
  await second.arrayBuffer()
  expect((await post('{"n":3}')).status).toBe(429)
  expect(upstream.requests.map((request) => [request.method, request.path, request.json()['n']])).toEqual([
    ['POST', '/v1/x', 1],
    ['POST', '/v1/x', 2],
    ['POST', '/v1/x', 3],
  ])
  expect(upstream.faults).toEqual([])
})

test('fakeUpstream() holds a stream until the test says so, and sees the peer hang up', async () => {
  const held = gate()
  const left = gate()
  await using upstream = await fakeUpstream(async (exchange) => {
    await exchange.sse()
    await exchange.event({ n: 1 }, 'tick')
    await held.opened
    await exchange.event('[DONE]')
    await exchange.gone
    left.open()
  })
  const controller = new AbortController()
  const response = await fetch(upstream.url, { signal: controller.signal })
  const reader = response.body!.getReader()
  const read = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value)
  expect(await read()).toBe('event: tick\ndata: {"n":1}\n\n')
  expect([upstream.connections, upstream.inFlight]).toEqual([1, 1])
  held.open()
  expect(await read()).toBe('data: [DONE]\n\n')
  controller.abort()
  await within(2000, 'the step to see the hang-up', left.opened)
  await upstream.connectionsAre(0)
  await upstream.inFlightIs(0)
})

for (
  const [name, step] of [
    ['a reset', (exchange: { reset(): void }) => exchange.reset()],
    ['a hang-up', (exchange: { hangUp(): void }) => exchange.hangUp()],
  ] as const
) {
  test(`fakeUpstream() makes ${name} before the answer an error for the peer`, async () => {
    await using upstream = await fakeUpstream(step)
    expect(await fetch(upstream.url, { keepalive: false }).then(() => 'answered', () => 'failed')).toBe('failed')
  })
}

test('fakeUpstream() drips, reads chunked uploads and keeps the connection', async () => {
  await using upstream = await fakeUpstream(async (exchange) => {
    await exchange.head(200, { 'content-type': 'text/plain' })
    await exchange.drip(exchange.request.text())
    await exchange.end()
  })
  const client = await rawClient(upstream.url)
  const request = 'POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'
  await client.write(request.slice(0, 70))
  await client.write(request.slice(70))
  await client.sees('0\r\n\r\n')
  expect(client.received).toContain('\r\n1\r\na\r\n1\r\nb\r\n')
  await client.write(request)
  await upstream.request(2)
  expect(upstream.accepted).toBe(1)
  client.hangUp()
  await upstream.connectionsAre(0)
})
