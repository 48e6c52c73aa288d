/**
 * The upstream of all benches: a chat server that answers at once and costs next to nothing, on raw TCP.
 *
 * The model's name says what it does: `bench-json` answers with 949 bytes; `bench-burst-64` streams 64 chunks at once;
 * `bench-pace-1000-30` streams 30 chunks, one a second (0 chunks: for ever); `bench-told-20` is silent for 20 ms behind its
 * opening, and then the first thing it says is what time it is. `GET /__stats` tells how many answers are
 * unfinished. Prints its port and ends with its parent's stdin.
 */
import type { Socket } from 'bun'

interface Call {
  held: Buffer
  stream: Stream | undefined
}

interface Stream {
  socket: Socket<Call>
  left: number
  number: number
}

const answer = (() => {
  const body = JSON.stringify({
    id: 'chatcmpl-bench',
    object: 'chat.completion',
    created: 1767225600,
    model: 'bench-json',
    choices: [{
      index: 0,
      message: {
        role: 'assistant',
        content: 'The quick brown fox jumps over the lazy dog. '.repeat(13),
        refusal: null,
      },
      logprobs: null,
      finish_reason: 'stop',
    }],
    usage: { prompt_tokens: 180, completion_tokens: 130, total_tokens: 310 },
    system_fingerprint: 'fp_bench',
  })
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
})()

const streamHead = Buffer.from(
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n',
)

function framed(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
}

/** A chunk as OpenAI sends it. */
function chunk(delta: unknown, finish: string | null = null, stamp = ''): string {
  return framed(
    `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"model":"bench",` +
      `"system_fingerprint":"fp_bench","choices":[{"index":0,"delta":${JSON.stringify(delta)},"logprobs":null,` +
      `"finish_reason":${JSON.stringify(finish)}}]}\n${stamp}\n`,
  )
}

/** A chunk behind which a comment tells the time it was written, epoch ms, so that the reader sees how long it took. */
function stamped(delta: unknown): string {
  return chunk(delta, null, `: "at":${(performance.timeOrigin + performance.now()).toFixed(3)}\n`)
}

const ending = (n: number): string =>
  chunk({}, 'stop') +
  framed(
    `data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1767225600,"model":"bench","choices":[],` +
      `"usage":{"prompt_tokens":180,"completion_tokens":${n},"total_tokens":${180 + n}}}\n\n`,
  ) + framed('data: [DONE]\n\n') + '0\r\n\r\n'

let unfinished = 0
let total = 0
const tickMs = 10
/** Streams by pace: each pace has one slot per tick, so that streams spread evenly and one timer serves all. */
const wheels = new Map<number, { slots: Set<Stream>[]; at: number; next: number }>()

function finish(call: Call): void {
  const { stream } = call
  if (!stream) return
  call.stream = undefined
  unfinished--
  for (const { slots } of wheels.values()) for (const slot of slots) if (slot.delete(stream)) return
}

function pace(call: Call, socket: Socket<Call>, ms: number, chunks: number): void {
  let wheel = wheels.get(ms)
  if (!wheel) {
    wheel = { slots: Array.from({ length: Math.max(1, Math.round(ms / tickMs)) }, () => new Set()), at: 0, next: 0 }
    wheels.set(ms, wheel)
  }
  const stream: Stream = { socket, left: chunks === 0 ? Infinity : chunks, number: 0 }
  call.stream = stream
  unfinished++
  // One slot after another, but always a full turn away for the newest.
  wheel.slots[wheel.next++ % wheel.slots.length]!.add(stream)
}

setInterval(() => {
  for (const wheel of wheels.values()) {
    const slot = wheel.slots[wheel.at++ % wheel.slots.length]!
    for (const stream of slot) {
      stream.number++
      if (stream.left-- > 0) stream.socket.write(stamped({ content: 'fox ' }))
      else {
        finish(stream.socket.data)
        stream.socket.write(ending(stream.number))
      }
    }
  }
}, tickMs)

function reply(socket: Socket<Call>, head: string, body: Buffer): void {
  if (head.startsWith('GET /__stats')) {
    const text = JSON.stringify({ unfinished, total })
    socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`)
    return
  }
  total++
  const at = body.indexOf('"model":"')
  const model = at < 0 ? '' : body.toString('latin1', at + 9, body.indexOf('"', at + 9))
  const [, kind, first = '0', second = '0'] = /bench-(\w+)(?:-(\d+))?(?:-(\d+))?$/.exec(model) ?? []
  if (kind === 'burst') {
    const chunks = Array.from({ length: Number(first) }, () => chunk({ content: 'fox ' }))
    socket.write(streamHead)
    // Pieces of 8 chunks: one write per chunk would measure this process, one in all would never be a stream.
    for (let i = 0; i < chunks.length; i += 8) socket.write(chunks.slice(i, i + 8).join(''))
    socket.write(ending(chunks.length))
  } else if (kind === 'pace') {
    socket.write(streamHead)
    socket.write(chunk({ role: 'assistant', content: '' }))
    pace(socket.data, socket, Number(first), Number(second))
  } else if (kind === 'told') {
    socket.write(streamHead)
    socket.write(chunk({ role: 'assistant', content: '' }))
    setTimeout(() => {
      socket.write(chunk({ content: `${(performance.timeOrigin + performance.now()).toFixed(3)} ` }))
      socket.write(ending(1))
    }, Number(first))
  } else socket.write(answer)
}

const server = Bun.listen<Call>({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    open(socket) {
      socket.data = { held: Buffer.alloc(0), stream: undefined }
      socket.setNoDelay(true)
    },
    data(socket, bytes) {
      const call = socket.data
      let held = call.held.length === 0 ? bytes : Buffer.concat([call.held, bytes])
      for (;;) {
        const end = held.indexOf('\r\n\r\n')
        if (end < 0) break
        const head = held.toString('latin1', 0, end)
        const size = /\r\ncontent-length: *(\d+)/i.exec(head)
        let next: number
        if (size || !/\r\ntransfer-encoding: *chunked/i.test(head)) next = end + 4 + Number(size?.[1] ?? 0)
        else {
          const last = held.indexOf('0\r\n\r\n', end + 2)
          if (last < 0) break
          next = last + 5
        }
        if (held.length < next) break
        reply(socket, head, held.subarray(end + 4, next))
        held = held.subarray(next)
      }
      call.held = held.length === 0 ? Buffer.alloc(0) : Buffer.from(held)
    },
    close: (socket) => finish(socket.data),
    error: (socket) => finish(socket.data),
  },
})

console.log(server.port)
for await (const _ of Bun.stdin.stream()) { /* runs until its parent is gone */ }
process.exit(0)
