/**
 * The load client of all benches, on raw TCP. Reads its orders as JSON from its first argument, prints `start` when its
 * measured window opens and one JSON line with its result when the window closes.
 */
import type { Socket } from 'bun'
import { responseReader } from './response-reader.ts'
import { percentile } from './stats.ts'

/** What to do. */
export interface LoadOrder {
  readonly port: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** Connections, each with one request at a time. */
  readonly connections: number
  /** New connections per second while opening; 0 opens all at once. */
  readonly openPerSecond: number
  /** `count`: ask again as soon as an answer ends. `hold`: open all, then measure once all are live. */
  readonly mode: 'count' | 'hold'
  readonly warmMs: number
  readonly windowMs: number
  /** Share of streams, 0 to 1, that are left in the middle; only in `count` mode. */
  readonly abort: number
}

/** What came of it, all within the window. Times in milliseconds. */
export interface LoadResult {
  readonly answers: number
  readonly chunks: number
  readonly errors: number
  readonly aborted: number
  /** Streams that had content and were still open when the window closed. */
  readonly live: number
  readonly seconds: number
  readonly firstP50: number
  readonly firstP99: number
  readonly delayP50: number
  readonly delayP99: number
}

if (import.meta.main) {
  const order = JSON.parse(process.argv[2]!) as LoadOrder
  const result = await run(order)
  console.log(JSON.stringify(result))
  process.exit(0)
}

async function run(order: LoadOrder): Promise<LoadResult> {
  const request = Buffer.from(
    `POST ${order.path} HTTP/1.1\r\nhost: 127.0.0.1:${order.port}\r\ncontent-type: application/json\r\n` +
      Object.entries(order.headers).map(([name, value]) => `${name}: ${value}\r\n`).join('') +
      `content-length: ${Buffer.byteLength(order.body)}\r\n\r\n${order.body}`,
  )
  let measuring = false
  let stopped = false
  let answers = 0
  let chunks = 0
  let errors = 0
  let aborted = 0
  let live = 0
  const firsts: number[] = []
  const delays: number[] = []
  const sockets = new Set<Socket<undefined>>()

  function connect(): void {
    let askedAt = 0
    let first = true
    let failed = false
    let alive = false
    let leaveAfter = Infinity
    let seen = 0
    let tail = ''
    const reader = responseReader({
      head(status) {
        if (status !== 200) failed = true
      },
      body(bytes) {
        if (first) {
          first = false
          firsts.push(performance.now() - askedAt)
        }
        const text = tail + bytes.toString('latin1')
        let at = -1
        let count = 0
        for (let next = text.indexOf('data: '); next >= 0; next = text.indexOf('data: ', next + 6)) {
          at = next
          count++
        }
        // What may be the beginning of a mark that the next bytes finish.
        tail = text.slice(Math.max(at < 0 ? 0 : at + 6, text.length - 5))
        if (count === 0) return
        if (!alive) {
          alive = true
          live++
        }
        seen += count
        if (!measuring) return
        chunks += count
        const stamp = text.indexOf('"at":', at)
        if (stamp > 0) {
          delays.push(performance.timeOrigin + performance.now() - parseFloat(text.slice(stamp + 5, stamp + 25)))
        }
      },
      end() {
        if (alive) live--
        alive = false
        if (measuring) failed ? errors++ : answers++
        ask()
      },
    })
    let socket: Socket<undefined> | undefined

    function ask(): void {
      if (stopped) return
      askedAt = performance.now()
      first = true
      failed = false
      seen = 0
      tail = ''
      leaveAfter = order.abort > 0 && Math.random() < order.abort ? 1 + Math.floor(Math.random() * 20) : Infinity
      socket!.write(request)
    }

    Bun.connect({
      hostname: '127.0.0.1',
      port: order.port,
      socket: {
        open(opened) {
          socket = opened
          sockets.add(opened)
          opened.setNoDelay(true)
          ask()
        },
        data(opened, bytes) {
          reader.push(bytes)
          if (seen >= leaveAfter) {
            if (measuring) aborted++
            opened.terminate()
          }
        },
        close(closed) {
          sockets.delete(closed)
          if (alive) live--
          if (stopped) return
          if (seen < leaveAfter && measuring) errors++
          if (order.mode === 'count') connect()
        },
        error() {
          if (measuring) errors++
        },
        connectError() {
          errors++
          if (!stopped && order.mode === 'count') setTimeout(connect, 20)
        },
      },
    }).catch(() => {})
  }

  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  for (let opened = 0; opened < order.connections;) {
    const batch = order.openPerSecond === 0 ? order.connections : Math.max(1, Math.round(order.openPerSecond / 50))
    for (let i = 0; i < batch && opened < order.connections; i++, opened++) connect()
    if (opened < order.connections) await pause(20)
  }
  if (order.mode === 'hold') {
    const until = performance.now() + 60_000
    while (live < order.connections && performance.now() < until) await pause(50)
  }
  await pause(order.warmMs)
  const startedAt = performance.now()
  // In hold mode the time to the first byte is that of the opening, so it is kept.
  if (order.mode === 'count') firsts.length = 0
  measuring = true
  console.log('start')
  await pause(order.windowMs)
  measuring = false
  const seconds = (performance.now() - startedAt) / 1000
  const result: LoadResult = {
    answers,
    chunks,
    errors,
    aborted,
    live,
    seconds,
    firstP50: percentile(firsts, 0.5),
    firstP99: percentile(firsts, 0.99),
    delayP50: percentile(delays, 0.5),
    delayP99: percentile(delays, 0.99),
  }
  stopped = true
  for (const socket of sockets) socket.terminate()
  return result
}
