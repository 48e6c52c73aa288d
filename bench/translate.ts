/**
 * The translation bench: what a chunk costs when Messages come in and Chat Completions go out, beside
 * claude-code-router, which does the same, and a raw Bun passthrough, which translates nothing.
 *
 * Before that, in this process: what a request of 100,000 tokens costs, and how the cost grows with turns, tools and
 * deltas.
 *
 * `bun bench/translate.ts [--only curves|peers] [--rounds 5] [--seconds 2] [--streams 1000] [--short] [--json FILE]`; otherwise as relay.ts.
 */
import { parseArgs } from 'node:util'
import { byDeltas, byTools, byTurns, largeRequest, showCurves } from './parts/curve.ts'
import { interleaved, show } from './parts/requests.ts'
import { describeMachine, start } from './rig/process.ts'
import { table } from './rig/stats.ts'
import { chatBody, messagesBody, runLoad } from './rig/run-load.ts'
import { ccr } from './targets/ccr.ts'
import { gw } from './targets/gw.ts'
import { rawBun } from './targets/raw-bun.ts'
import type { Target } from './targets/target.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    streams: { type: 'string', default: '1000' },
    short: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'string' },
  },
})
const rounds = options.short ? 2 : Number(options.rounds)
const windowMs = options.short ? 1000 : Number(options.seconds) * 1000
const streams = Number(options.streams)

console.log(describeMachine())
const results: Record<string, unknown> = {}

if (options.only !== 'peers') {
  const large = largeRequest()
  console.log(`\nA messages request of ${Math.round(large[0]!.bytes / 1000)} KB, about 100,000 tokens, bytes to bytes`)
  console.log(table(['upstream', 'CPU ms'], large.map(({ upstream, micros }) => [upstream, micros / 1000])))
  const curves = {
    'turns to openai-chat': byTurns([10, 100, 1000, 4000], 'openai-chat'),
    'turns to openai-responses': byTurns([10, 100, 1000, 4000], 'openai-responses'),
    'tools to openai-chat': byTools([10, 100, 1000, 4000], 'openai-chat'),
    'deltas to anthropic-messages': byDeltas([100, 1000, 10_000, 100_000], 'anthropic-messages'),
    'deltas to openai-responses': byDeltas([100, 1000, 10_000, 100_000], 'openai-responses'),
  }
  console.log(`\n${showCurves(curves)}`)
  Object.assign(results, { large, curves })
  if (options.only === 'curves') process.exit(0)
}

await using mock = start([process.execPath, new URL('./rig/mock.ts', import.meta.url).pathname], { core: 1 })
const mockPort = Number((await mock.lines.next()).value)
await using stack = new AsyncDisposableStack()
const targets: Target[] = []
for (const starter of [rawBun, gw, ccr]) {
  const target = await starter(mockPort)
  if ('skipped' in target) console.log(`skipped: ${target.skipped}`)
  else targets.push(stack.use(target))
}

/** What a target is sent: Messages, but for the passthrough, which gets what the mock speaks. */
function request(target: Target, model: string): { path: string; body: string } {
  const name = `${target.prefix}${model}`
  const stream = model !== 'bench-json'
  return target.name === 'raw Bun'
    ? { path: '/v1/chat/completions', body: chatBody(name, stream) }
    : { path: '/v1/messages', body: messagesBody(name, stream) }
}

// A just-in-time compiler needs its time: every target gets as much of it, with each kind of load, before anything counts.
const warmMs = options.short ? 3000 : 10_000
for (const model of ['bench-json', 'bench-burst-64']) {
  for (const target of targets) await runLoad(target, '', { windowMs: warmMs }, request(target, model))
}

const requests = results.requests = await interleaved(targets, rounds, async (target) => {
  const run = await runLoad(target, '', { windowMs }, request(target, 'bench-json'))
  return { perSecond: run.answers / run.seconds, cpuMicros: run.cpuMicros / run.answers, errors: run.errors }
})
console.log(`\n${show('Requests, translated, 64 connections', requests, 'cpuMicros')}`)

const paced = results.paced = await interleaved(targets, rounds, async (target) => {
  const order = { windowMs, connections: streams, openPerSecond: 1000, mode: 'hold' } as const
  const run = await runLoad(target, '', order, request(target, 'bench-pace-100-0'))
  // Each chunk of the upstream comes out as one event.
  return {
    live: run.live,
    chunksPerSecond: run.chunks / run.seconds,
    cpuMicros: run.cpuMicros / run.chunks,
    delayMs: run.delayP50,
    errors: run.errors,
  }
})
console.log(
  `\n${show(`${streams} streams, a chunk each 100 ms, CPU per upstream chunk`, paced, 'cpuMicros')}`,
)

// Of a short stream most is what every request costs; of a long one, what its chunks do.
const bursts: Record<string, unknown> = results.bursts = {}
for (const chunks of [64, 1024]) {
  const rows = bursts[chunks] = await interleaved(targets, rounds, async (target) => {
    const run = await runLoad(target, '', { windowMs }, request(target, `bench-burst-${chunks}`))
    const upstreamChunks = run.answers * (chunks + 2)
    return {
      chunksPerSecond: upstreamChunks / run.seconds,
      cpuMicros: run.cpuMicros / upstreamChunks,
      firstMs: run.firstP50,
      errors: run.errors,
    }
  })
  console.log(`\n${show(`Streams of ${chunks} chunks at full speed, CPU per upstream chunk`, rows, 'cpuMicros')}`)
}
if (options.json !== undefined) await Bun.write(options.json, `${JSON.stringify(results, null, 2)}\n`)
