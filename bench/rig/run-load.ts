import type { Target } from '../targets/target.ts'
import type { LoadOrder, LoadResult } from './load.ts'
import { start } from './process.ts'

/** What one window of load cost the target. */
export interface Measured extends LoadResult {
  /** CPU time of the target within the window, microseconds; NaN without a process. */
  readonly cpuMicros: number
  /** Resident memory of the target when the window closed, bytes. */
  readonly residentBytes: number
  /** Milliseconds from the order to the end of the window. */
  readonly tookMs: number
}

const prompt = 'Tell me about the fox and the dog, in plain words and at length. '.repeat(10)

/** A chat request of about 0.8 KB. */
export function chatBody(model: string, stream: boolean): string {
  const asked = stream ? { stream: true, stream_options: { include_usage: true } } : {}
  return JSON.stringify({ model, ...asked, messages: [{ role: 'user', content: prompt }] })
}

/** The same request as Messages. */
export function messagesBody(model: string, stream: boolean): string {
  const asked = stream ? { stream: true } : {}
  return JSON.stringify({ model, ...asked, max_tokens: 4096, messages: [{ role: 'user', content: prompt }] })
}

/** Runs the load client on core 1 against a target and measures the target during its window. */
export async function runLoad(
  target: Target,
  model: string,
  order: Partial<LoadOrder> & { readonly windowMs: number },
  request: { path: string; body: string } = {
    path: '/v1/chat/completions',
    body: chatBody(`${target.prefix}${model}`, model !== 'bench-json'),
  },
): Promise<Measured> {
  const whole: LoadOrder = {
    port: target.port,
    headers: target.headers,
    connections: 64,
    openPerSecond: 0,
    mode: 'count',
    warmMs: 500,
    abort: 0,
    ...request,
    ...order,
  }
  const script = new URL('./load.ts', import.meta.url).pathname
  const startedAt = performance.now()
  await using load = start([process.execPath, script, JSON.stringify(whole)], { core: 1 })
  const first = await load.lines.next()
  if (first.value !== 'start') throw new Error(`the load client failed: ${load.errors()}`)
  const before = target.running?.cpuMicros() ?? NaN
  // The client says when its window closes, and waits for nothing: the difference is one poll of a pipe.
  const closing = new Promise((resolve) => setTimeout(resolve, Math.max(0, order.windowMs - 5)))
  await closing
  const after = target.running?.cpuMicros() ?? NaN
  const residentBytes = target.running?.residentBytes() ?? NaN
  const last = await load.lines.next()
  if (last.done) throw new Error(`the load client failed: ${load.errors()}`)
  // JSON has no NaN: what was not measured comes as null.
  const result = JSON.parse(last.value, (_, value: unknown) => value ?? NaN) as LoadResult
  return { ...result, cpuMicros: after - before, residentBytes, tookMs: performance.now() - startedAt }
}

/** How many answers of the mock are unfinished. */
export async function unfinished(mockPort: number): Promise<number> {
  const reply = await fetch(`http://127.0.0.1:${mockPort}/__stats`)
  return ((await reply.json()) as { unfinished: number }).unfinished
}
