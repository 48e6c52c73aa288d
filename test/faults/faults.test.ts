import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { sseParser } from '../../lib/base/mod.ts'
import { dig } from '../support/dig.ts'
import { type FakeUpstream, fakeUpstream } from '../support/fake-upstream.ts'
import { plantedKey, startGateway, type TestGateway } from '../support/gateway.ts'
import { contentFaults, type Fault, framingFaults, statusFaults, transportFaults, wholeText } from './faults.ts'

let upstream: FakeUpstream
let gateway: TestGateway

beforeAll(async () => {
  upstream = await fakeUpstream((exchange) => exchange.json({}))
  // An account of its own for each request: what one fault teaches gw about a target must not spare it the next.
  const account = { provider: 'openai', base_url: `${upstream.url}/v1`, token_env: 'PLANTED_KEY' }
  const accounts = Array.from({ length: 250 }, (_, i) => [`accounts.a${i + 1}`, account] as const)
  gateway = await startGateway({
    settings: {
      ...Object.fromEntries(accounts),
      'egress.allow_origins': [upstream.url],
      'limits.head_secs': 2,
      'limits.idle_secs': 2,
      'limits.event_bytes': 1024 * 1024,
    },
  })
})

afterAll(async () => {
  await gateway.close()
  await upstream.close()
})

/** Requests so far; the account of the next one. */
let asked = 0

/** What the caller was given, in the end. */
interface Seen {
  readonly status: number
  /** All bytes that came, also those before a cut. */
  readonly text: string
  /** Whether the body ended as HTTP says it should. */
  readonly ended: boolean
}

async function ask(stream: boolean): Promise<Seen> {
  const reply = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'authorization': `Bearer ${gateway.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: `openai:a${++asked}/m`, stream, messages: [{ role: 'user', content: 'hello' }] }),
    signal: AbortSignal.timeout(15_000),
  })
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const bytes of reply.body!) text += decoder.decode(bytes, { stream: true })
    return { status: reply.status, text, ended: true }
  } catch {
    return { status: reply.status, text, ended: false }
  }
}

/** Whether an answer of status 200 says that it is complete: the whole text and a finish. */
function finished(seen: Seen, stream: boolean): boolean {
  if (seen.status !== 200 || !seen.ended) return false
  if (!stream) {
    try {
      return dig(JSON.parse(seen.text), 'choices', 0, 'finish_reason') === 'stop'
    } catch {
      return false
    }
  }
  return seen.text.includes('"finish_reason":"stop"') && seen.text.includes('data: [DONE]')
}

/** The words of a stream, or `null` when an event of it is no JSON. */
function words(text: string): string {
  const parser = sseParser()
  return parser.push(new TextEncoder().encode(text)).filter(({ data }) => data !== '[DONE]')
    .map(({ data }) => String(dig(JSON.parse(data), 'choices', 0, 'delta', 'content') ?? '')).join('')
}

function check(fault: Fault, seen: Seen): void {
  const whole = finished(seen, fault.stream)
  if (fault.seen === 'whole') expect([seen.status, whole]).toEqual([200, true])
  if (fault.seen === 'broken' || fault.seen === 'refused') {
    expect([whole, seen.text.slice(0, 300)]).toEqual([false, seen.text.slice(0, 300)])
  }
  if (fault.seen === 'refused') {
    expect(seen.status).toBeGreaterThanOrEqual(400)
    expect(dig(JSON.parse(seen.text), 'error', 'message')).toBeString()
  }
  if (whole) {
    const said = fault.stream
      ? words(seen.text)
      : String(dig(JSON.parse(seen.text), 'choices', 0, 'message', 'content'))
    expect(said).toBe(wholeText)
  }
}

for (
  const [title, faults] of [
    ['the connection', transportFaults],
    ['the framing', framingFaults],
    ['the content', contentFaults],
    ['the status', statusFaults],
  ] as const
) {
  describe(`an upstream fault of ${title}`, () => {
    for (const fault of faults) {
      test(`${fault.name}${fault.stream ? ' (stream)' : ''}: ${fault.seen}`, async () => {
        upstream.follow(fault.step)
        const before = upstream.requests.length
        const seen = await ask(fault.stream)
        check(fault, seen)
        // Bounded: at most three tries, and nothing is left open behind the answer.
        expect(upstream.requests.length - before).toBeWithin(1, 4)
        await upstream.inFlightIs(0, 3000)
        // Nothing out: the key that upstream was given is in no answer and no log line.
        expect(seen.text).not.toContain(plantedKey)
        expect(gateway.log.join('\n')).not.toContain(plantedKey)
        expect(upstream.requests.at(-1)!.headers.get('authorization')).toBe(`Bearer ${plantedKey}`)
        // Still up, and the next request is served.
        upstream.follow((exchange) =>
          exchange.json({ choices: [{ finish_reason: 'stop', message: { content: 'up' } }] })
        )
        expect((await ask(false)).status).toBe(200)
      }, 20_000)
    }
  })
}

test('an upstream that never answers is given up in time', async () => {
  upstream.follow((exchange) => exchange.gone)
  const seen = await ask(false)
  expect(seen.status).toBe(504)
  await upstream.inFlightIs(0, 3000)
})

test('an upstream that falls silent in a stream ends as an error, never as a finish', async () => {
  upstream.follow(async (exchange) => {
    await exchange.sse()
    await exchange.event({ choices: [{ index: 0, delta: { content: 'alpha' }, finish_reason: null }] })
    await exchange.gone
  })
  const seen = await ask(true)
  expect([seen.status, finished(seen, true)]).toEqual([200, false])
  expect(seen.text).toContain('alpha')
  expect(seen.text).toContain('error')
  await upstream.inFlightIs(0, 3000)
})
