/**
 * What gw adds to the first word: the time between an upstream saying it and the caller having it, straight and through
 * gw, passed on and translated. Alone, and beside streams that are held open and get a chunk each 100 ms.
 *
 * Upstreams open a stream before they know what to say; gw holds that back until there is a word, so that another target
 * can still answer. This measures what that costs the word itself.
 *
 * `bun bench/first-token.ts [--words 400] [--streams 200]`
 */
import { parseArgs } from 'node:util'
import { describeMachine, start } from './rig/process.ts'
import { chatBody, messagesBody, runLoad } from './rig/run-load.ts'
import { percentile, table } from './rig/stats.ts'
import { direct } from './targets/direct.ts'
import { gw } from './targets/gw.ts'
import { rawBun } from './targets/raw-bun.ts'
import type { Target } from './targets/target.ts'

const { values: options } = parseArgs({
  options: { words: { type: 'string', default: '400' }, streams: { type: 'string', default: '200' } },
})
const words = Number(options.words)
const model = 'bench-told-20'

/** One way from the upstream to the caller. */
interface Way {
  readonly name: string
  readonly target: Target
  readonly path: string
  readonly body: string
}

const clock = (): number => performance.timeOrigin + performance.now()

/** Milliseconds from the upstream's first word to the caller. */
async function firstWord({ target, path, body }: Way): Promise<number> {
  const reply = await fetch(`http://127.0.0.1:${target.port}${path}`, {
    method: 'POST',
    headers: { ...target.headers, 'content-type': 'application/json' },
    body,
  })
  let text = ''
  for await (const bytes of reply.body!) {
    text += new TextDecoder().decode(bytes)
    const said = /(\d{13}\.\d{3}) /.exec(text)
    if (said === null) continue
    const late = clock() - Number(said[1])
    await reply.body!.cancel().catch(() => {})
    return late
  }
  throw new Error(`no word came from ${target.name}: ${text}`)
}

/** Delays of every way, in turns, so that what else the machine does falls on all of them. */
async function measure(ways: readonly Way[], count: number): Promise<Map<Way, number[]>> {
  const late = new Map(ways.map((way) => [way, [] as number[]]))
  for (let i = 0; i < count; i++) for (const way of ways) late.get(way)!.push(await firstWord(way))
  return late
}

function show(late: ReadonlyMap<Way, readonly number[]>): string {
  const [straight] = late.values()
  return table(
    ['way', 'ms p50', 'ms p99', 'added p50', 'added p99'],
    [...late].map(([way, values]) => {
      // Against the call just before it: what slowed both is not gw's.
      const added = values.map((value, i) => value - straight![i]!)
      return [
        way.name,
        percentile(values, 0.5),
        percentile(values, 0.99),
        percentile(added, 0.5),
        percentile(added, 0.99),
      ]
    }),
  )
}

console.log(describeMachine())
await using mock = start([process.execPath, new URL('./rig/mock.ts', import.meta.url).pathname], { core: 1 })
const mockPort = Number((await mock.lines.next()).value)
await using stack = new AsyncDisposableStack()
const [straight, raw, through] = await Promise.all([direct, rawBun, gw].map(async (starter) => {
  const target = await starter(mockPort)
  if ('skipped' in target) throw new Error(target.skipped)
  return stack.use(target)
})) as [Target, Target, Target]

const chat = (target: Target): Omit<Way, 'name'> => ({
  target,
  path: '/v1/chat/completions',
  body: chatBody(`${target.prefix}${model}`, true),
})
const ways: Way[] = [
  { name: 'straight', ...chat(straight) },
  { name: 'raw Bun', ...chat(raw) },
  { name: 'gw, passed on', ...chat(through) },
  {
    name: 'gw, translated',
    target: through,
    path: '/v1/messages',
    body: messagesBody(`${through.prefix}${model}`, true),
  },
]
await measure(ways, 50)
console.log(`\nAlone\n${show(await measure(ways, words))}`)

const streams = Number(options.streams)
// Held a little longer than the words take.
const held = runLoad(through, '', {
  windowMs: 4000 + words * ways.length * 60,
  connections: streams,
  openPerSecond: 1000,
  mode: 'hold',
}, {
  path: '/v1/chat/completions',
  body: chatBody(`${through.prefix}bench-pace-100-0`, true),
})
await new Promise((resolve) => setTimeout(resolve, 2000))
console.log(`\nBeside ${streams} streams through gw\n${show(await measure(ways, words))}`)
await held
