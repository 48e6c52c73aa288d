import { demoUpstream } from '../../lib/demo/mod.ts'
import type { DemoOptions } from '../../lib/demo/upstream.ts'
import { gauge } from './wait.ts'

/** The demo upstream behind a real socket. */
export interface DemoServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without `/v1`. */
  readonly url: string
  /** Answers not yet finished. */
  readonly inFlight: number
  /** Resolves when so many answers are unfinished, up to `ms`. */
  inFlightIs(count: number, ms: number): Promise<void>
}

/** Serves the demo upstream on a free port of 127.0.0.1, by default without pauses between pieces. */
export function demoServer(options: DemoOptions = {}): DemoServer {
  const demo = demoUpstream({ pieceDelayMs: 0, ...options })
  const open = gauge()
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    development: false,
    async fetch(request) {
      open.add(1)
      const reply = await demo.fetch(request)
      if (!reply.body) {
        open.add(-1)
        return reply
      }
      return new Response(counted(reply.body, () => open.add(-1)), reply)
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    get inFlight() {
      return open.value
    },
    inFlightIs: (count, ms) => open.until((n) => n === count, ms, `${count} answers in flight`),
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}

/** The same bytes; `done` is called once, when they end, fail or are no longer wanted. */
function counted(body: ReadableStream<Uint8Array>, done: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  let told = false
  function tell(): void {
    if (!told) done()
    told = true
  }
  return new ReadableStream({
    async pull(controller) {
      try {
        const next = await reader.read()
        if (!next.done) return controller.enqueue(next.value)
        tell()
        controller.close()
      } catch (error) {
        tell()
        controller.error(error)
      }
    },
    cancel(reason) {
      tell()
      return reader.cancel(reason).catch(() => {})
    },
  }, { highWaterMark: 0 })
}
