import { gzipSync } from 'node:zlib'
import type { Exchange, Step } from '../support/fake-upstream.ts'

/** Something an upstream may do, and what a caller may then see. */
export interface Fault {
  readonly name: string
  readonly step: Step
  /** Whether the caller asks for a stream. */
  readonly stream: boolean
  /**
   * `refused`: an error status in the caller's protocol. `broken`: visibly not finished (an error status, an error
   * event or a lost connection). `whole`: the answer arrives complete. `either`: whole or broken, but honest.
   */
  readonly seen: 'refused' | 'broken' | 'whole' | 'either'
}

/** What a whole answer says, so that a test can tell it is whole. */
export const wholeText = 'alpha beta gamma'

/** A whole Chat Completions answer. */
export const completion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: wholeText }, logprobs: null, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 3, total_tokens: 6 },
}

const chunk = (delta: unknown, finish: string | null = null): unknown => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  created: 1,
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finish }],
})

const words = ['alpha', ' beta', ' gamma']
const contents = words.map((content) => chunk({ content }))
const finish = chunk({}, 'stop')
const data = (value: unknown): string => `data: ${typeof value === 'string' ? value : JSON.stringify(value)}\n\n`
const whole = [chunk({ role: 'assistant', content: '' }), ...contents, finish, '[DONE]'].map(data).join('')

const okHead = (rest: string): string => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${rest}\r\n`
const body = JSON.stringify(completion)

/** A stream that begins well, then does something. */
const begun = (then: Step): Step => async (exchange) => {
  await exchange.sse()
  await exchange.event(chunk({ role: 'assistant', content: '' }))
  for (const content of contents.slice(0, 2)) await exchange.event(content)
  await then(exchange)
}

const raw = (text: string | Uint8Array, close = true): Step => async (exchange) => {
  await exchange.raw(text)
  if (close) exchange.hangUp()
}

const once = (name: string, seen: Fault['seen'], step: Step): Fault => ({ name, seen, step, stream: false })
const streamed = (name: string, seen: Fault['seen'], step: Step): Fault => ({ name, seen, step, stream: true })

const answerWith = (bytes: string | Uint8Array, headers: Record<string, string> = {}): Step => async (exchange) => {
  const content = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes
  await exchange.head(200, { 'content-type': 'application/json', 'content-length': String(content.length), ...headers })
  await exchange.raw(content)
}

/** A quarter of a megabyte that unpacks to 256: members of a gzip file may follow one another. */
function bomb(): Uint8Array {
  const member = gzipSync(new Uint8Array(1024 * 1024).fill(32), { level: 9 })
  const all = new Uint8Array(member.length * 256)
  for (let i = 0; i < 256; i++) all.set(member, i * member.length)
  return all
}

/** Faults of the connection. */
export const transportFaults: readonly Fault[] = [
  once('closes without an answer', 'refused', (exchange) => exchange.hangUp()),
  once('resets without an answer', 'refused', (exchange) => exchange.reset()),
  once('closes in the middle of the head', 'refused', raw('HTTP/1.1 200 OK\r\ncontent-ty')),
  once('speaks another protocol', 'refused', raw('SSH-2.0-OpenSSH_9.2\r\n')),
  once('speaks binary', 'refused', raw(Uint8Array.from({ length: 512 }, (_, i) => i % 256))),
  once('switches protocols unasked', 'refused', raw('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\nwhat now')),
  once('floods with 100 Continue first', 'either', async (exchange) => {
    await exchange.raw('HTTP/1.1 100 Continue\r\n\r\n'.repeat(1000))
    await exchange.json(completion)
  }),
  once('resets in the middle of the body', 'broken', async (exchange) => {
    await exchange.raw(okHead(`content-length: ${body.length}\r\n`) + body.slice(0, 50))
    exchange.reset()
  }),
  streamed('resets in the middle of a stream', 'broken', begun((exchange) => exchange.reset())),
  streamed('closes in the middle of a stream', 'broken', begun((exchange) => exchange.hangUp())),
  streamed(
    'closes inside a UTF-8 character',
    'broken',
    begun(async (exchange) => {
      await exchange.chunk(
        new Uint8Array([...new TextEncoder().encode('data: {"choices":[{"delta":{"content":"'), 0xf0, 0x9f]),
      )
      exchange.hangUp()
    }),
  ),
]

/** Faults of HTTP framing. */
export const framingFaults: readonly Fault[] = [
  once('promises more bytes than it sends', 'broken', raw(okHead(`content-length: ${body.length + 9}\r\n`) + body)),
  once('sends more bytes than it promised', 'either', raw(okHead(`content-length: ${body.length}\r\n`) + body + body)),
  once(
    'gives two lengths',
    'either',
    raw(okHead(`content-length: ${body.length}\r\ncontent-length: ${body.length - 5}\r\n`) + body),
  ),
  once(
    'gives a length and chunks',
    'either',
    raw(
      okHead(`content-length: 5\r\ntransfer-encoding: chunked\r\n`) +
        `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
    ),
  ),
  once(
    'sends a chunk size that is no number',
    'broken',
    raw(okHead('transfer-encoding: chunked\r\n') + `zz\r\n${body}\r\n0\r\n\r\n`),
  ),
  once(
    'sends a negative chunk size',
    'broken',
    raw(okHead('transfer-encoding: chunked\r\n') + `-5\r\n${body}\r\n0\r\n\r\n`),
  ),
  once(
    'sends a chunk size that overflows',
    'broken',
    raw(okHead('transfer-encoding: chunked\r\n') + `ffffffffffffffffff\r\n${body}\r\n0\r\n\r\n`),
  ),
  once(
    'sends a header of a megabyte',
    'either',
    raw(okHead(`x-long: ${'a'.repeat(1_000_000)}\r\ncontent-length: ${body.length}\r\n`) + body),
  ),
  once(
    'sends 5,000 headers',
    'either',
    raw(
      okHead(`${Array.from({ length: 5000 }, (_, i) => `x-${i}: 1\r\n`).join('')}content-length: ${body.length}\r\n`) +
        body,
    ),
  ),
  once('sends NUL in a header', 'either', raw(okHead(`x-nul: a\0b\r\ncontent-length: ${body.length}\r\n`) + body)),
  once('answers status 000', 'refused', raw(`HTTP/1.1 000 Nothing\r\ncontent-length: 2\r\n\r\n{}`)),
  once('answers status 999', 'refused', raw(`HTTP/1.1 999 Too Much\r\ncontent-length: 2\r\n\r\n{}`)),
  once(
    'sends a body with 204',
    'either',
    raw(`HTTP/1.1 204 No Content\r\ncontent-length: ${body.length}\r\n\r\n${body}`),
  ),
]

/** Faults of what is inside. */
export const contentFaults: readonly Fault[] = [
  once('answers 200 with nothing', 'refused', answerWith('')),
  once(
    'answers 200 with HTML',
    'refused',
    answerWith('<html><body>hello</body></html>', { 'content-type': 'text/html' }),
  ),
  once('answers 200 with half of JSON', 'refused', answerWith(body.slice(0, 60))),
  // gw asks for no compression: whether a claim of it is believed or not, nothing may come out but the answer.
  once('claims gzip and sends none', 'either', answerWith(body, { 'content-encoding': 'gzip' })),
  once('claims brotli and sends none', 'either', answerWith(body, { 'content-encoding': 'br' })),
  once('compresses although asked not to', 'either', answerWith(gzipSync(body), { 'content-encoding': 'gzip' })),
  once('sends gzip that unpacks to 256 MB', 'broken', answerWith(bomb(), { 'content-encoding': 'gzip' })),
  streamed('sends a stream byte by byte', 'whole', async (exchange) => {
    await exchange.sse()
    await exchange.drip(whole)
    await exchange.end()
  }),
  streamed('splits a stream with CR LF line ends', 'whole', async (exchange) => {
    await exchange.sse()
    await exchange.drip(whole.replaceAll('\n', '\r\n'), 7)
    await exchange.end()
  }),
  streamed('sends comments and unknown events between', 'whole', async (exchange) => {
    await exchange.sse()
    await exchange.chunk(': PROCESSING\n\nevent: news\ndata: {"type":"news"}\n\nid: 9\nretry: 10\n\n')
    await exchange.chunk(whole)
    await exchange.end()
  }),
  streamed('begins a stream with a byte order mark', 'either', async (exchange) => {
    await exchange.sse()
    await exchange.chunk(new Uint8Array([0xef, 0xbb, 0xbf, ...new TextEncoder().encode(whole)]))
    await exchange.end()
  }),
  streamed('ends a stream cleanly without a finish', 'broken', begun((exchange) => exchange.end())),
  streamed(
    'ends a stream in the middle of an event',
    'broken',
    begun(async (exchange) => {
      await exchange.chunk('data: {"choices":[{"ind')
      await exchange.end()
    }),
  ),
  streamed(
    'sends an error in the middle of a stream',
    'broken',
    begun(async (exchange) => {
      await exchange.event({ error: { message: 'the model fell over', type: 'server_error', code: null } })
      await exchange.end()
    }),
  ),
  streamed(
    'sends garbage in the middle of a stream',
    'broken',
    begun(async (exchange) => {
      await exchange.event('{{{{')
      await exchange.end()
    }),
  ),
  streamed(
    'answers a stream request with HTML',
    'broken',
    answerWith('<html></html>', { 'content-type': 'text/html' }),
  ),
  streamed('sends nothing but an empty stream', 'broken', async (exchange) => {
    await exchange.sse()
    await exchange.end()
  }),
  streamed('says [DONE] twice and goes on talking', 'whole', async (exchange) => {
    await exchange.sse()
    await exchange.chunk(whole + data('[DONE]') + data(chunk({ content: ' delta' })))
    await exchange.end()
  }),
  streamed(
    'sends a line of 64 MB',
    'broken',
    begun(async (exchange) => {
      await exchange.chunk('data: {"choices":[{"index":0,"delta":{"content":"')
      const block = new Uint8Array(1024 * 1024).fill(97)
      for (let i = 0; i < 64; i++) await exchange.chunk(block)
      await exchange.chunk('"}}]}\n\n')
      await exchange.end()
    }),
  ),
]

const statuses = [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 502, 503, 504, 529]

/** Error statuses, with a good body, an HTML body and none. */
export const statusFaults: readonly Fault[] = statuses.flatMap((status) => [
  once(
    `answers ${status}`,
    'refused',
    (exchange) =>
      exchange.json({ error: { message: `upstream says ${status}`, type: 'some_error', code: null } }, { status }),
  ),
  once(
    `answers ${status} with HTML`,
    'refused',
    (exchange: Exchange) =>
      exchange.raw(`HTTP/1.1 ${status} X\r\ncontent-type: text/html\r\ncontent-length: 13\r\n\r\n<html></html>`),
  ),
  streamed(
    `answers ${status} with nothing`,
    'refused',
    (exchange) => exchange.raw(`HTTP/1.1 ${status} X\r\ncontent-length: 0\r\n\r\n`),
  ),
])
