/**
 * Slow readers: what gw holds for callers that read an answer of 64 MB at 50 kB/s, while its provider sends as fast as it
 * is let.
 *
 * `bun bench/slow-readers.ts [--clients 50] [--seconds 45] [--ways passed,translated,whole]`. Memory is that of the process
 * of gw, over what it had when warm; what is under way counts the four buffers of the kernel too, on loopback.
 */
import { connect, createServer, type Socket } from 'node:net'
import { parseArgs } from 'node:util'
import { describeMachine } from './rig/process.ts'
import { chatBody, messagesBody } from './rig/run-load.ts'
import { table } from './rig/stats.ts'
import { startGw } from './targets/gw.ts'
import type { Target } from './targets/target.ts'

const { values: options } = parseArgs({
  options: {
    clients: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '45' },
    ways: { type: 'string', default: 'passed,translated,whole' },
  },
})
const clients = Number(options.clients)
const seconds = Number(options.seconds)

const answerBytes = 64_000_000
const bytesPerSecond = 50_000
const pollMs = 100

const words = 'The quick brown fox jumps over the lazy dog. '.repeat(20)
const chunk = Buffer.from(
  `data: ${
    JSON.stringify({
      id: 'c',
      object: 'chat.completion.chunk',
      created: 0,
      model: 'bench',
      choices: [{ index: 0, delta: { content: words }, finish_reason: null }],
    })
  }\n\n`.repeat(16),
)
const wholeStart = '{"id":"c","object":"chat.completion","created":0,"model":"bench","choices":[{"index":0,"message":' +
  '{"role":"assistant","content":"'
const wholeBlock = Buffer.from(words.repeat(16))

let sent = 0

/** A provider that sends 64 MB, as much at a time as the socket takes. */
function serve(socket: Socket): void {
  socket.on('error', () => {})
  let asked = ''
  socket.on('data', (bytes) => {
    asked += bytes.toString('latin1')
    const head = asked.indexOf('\r\n\r\n')
    const length = Number(/content-length: (\d+)/i.exec(asked)?.[1])
    if (head < 0 || asked.length < head + 4 + length) return
    const streams = /"stream":true/.test(asked)
    const block = streams ? chunk : wholeBlock
    asked = ''
    const kind = streams ? 'text/event-stream' : 'application/json'
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${kind}\r\nconnection: close\r\n\r\n${streams ? '' : wholeStart}`)
    let left = answerBytes
    const pump = (): void => {
      while (left > 0 && !socket.destroyed) {
        left -= block.length
        sent += block.length
        if (!socket.write(block)) return void socket.once('drain', pump)
      }
      socket.end()
    }
    pump()
  })
}

/** A caller that takes 5 kB every 100 ms. */
class SlowReader {
  read = 0
  readonly socket: Socket
  readonly #timer: Timer

  constructor({ port, headers }: Target, path: string, body: string) {
    this.socket = connect({ port, host: '127.0.0.1' })
    this.socket.on('error', () => {})
    this.socket.pause()
    const fields = Object.entries({ ...headers, host: '127.0.0.1', 'content-type': 'application/json' })
    this.socket.write(
      `POST ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
    let owed = 0
    this.#timer = setInterval(() => {
      owed += bytesPerSecond * pollMs / 1000
      while (owed > 0) {
        const bytes = this.socket.read() as Buffer | null
        if (bytes === null) return
        owed -= bytes.length
        this.read += bytes.length
      }
    }, pollMs)
  }

  close(): void {
    clearInterval(this.#timer)
    this.socket.destroy()
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

const MB = 1_000_000

async function measure(target: Target, path: string, body: string): Promise<(string | number)[]> {
  const resident = (): number => target.running!.residentBytes()
  await wait(2000)
  const before = resident()
  const sentBefore = sent
  const readers = Array.from({ length: clients }, () => new SlowReader(target, path, body))
  let most = 0
  let settled = Infinity
  const samples = seconds * 2
  for (let i = 0; i < samples; i++) {
    await wait(500)
    most = Math.max(most, resident())
    // What is held, and not what waits for a collection: the least of the second half.
    if (i > samples / 2) settled = Math.min(settled, resident())
  }
  const read = readers.reduce((sum, reader) => sum + reader.read, 0)
  const underWay = sent - sentBefore - read
  const alive = readers.filter(({ socket }) => !socket.destroyed && !socket.readableEnded).length
  for (const reader of readers) reader.close()
  await wait(3000)
  return [
    alive,
    read / clients / seconds / 1000,
    before / MB,
    most / MB,
    (most - before) / clients / MB,
    (settled - before) / clients / MB,
    underWay / clients / MB,
    resident() / MB,
  ]
}

console.log(describeMachine())
const server = createServer(serve)
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as { port: number }
const target = await startGw(port, [])
const ways: Readonly<Record<string, { path: string; body: string }>> = {
  passed: { path: '/v1/chat/completions', body: chatBody(`${target.prefix}bench`, true) },
  translated: { path: '/v1/messages', body: messagesBody(`${target.prefix}bench`, true) },
  whole: { path: '/v1/chat/completions', body: chatBody(`${target.prefix}bench`, false) },
}
const rows: (string | number)[][] = []
for (const way of options.ways.split(',')) {
  const { path, body } = ways[way]!
  // Code that has not run yet takes memory too.
  const first = Array.from({ length: 4 }, () => new SlowReader(target, path, body))
  await wait(3000)
  for (const reader of first) reader.close()
  rows.push([way, ...await measure(target, path, body)])
}
console.log(`${clients} callers, each reads ${bytesPerSecond / 1000} kB/s of ${answerBytes / MB} MB, for ${seconds} s`)
console.log(table(
  [
    'way',
    'alive',
    'kB/s read',
    'MB before',
    'most MB',
    'most MB a stream',
    'held MB a stream',
    'MB under way',
    'MB 3 s after',
  ],
  rows,
))
server.close()
// The sockets of its last streams need not be waited for.
await target[Symbol.asyncDispose]()
process.exit(0)
