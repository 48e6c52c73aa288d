/**
 * The relay bench: what a request and a chunk cost gw, beside peers measured in the same run.
 *
 * `bun bench/relay.ts [--parts requests,bursts,paced,held,cold,quiet,soak] [--targets gw,raw-bun,nginx,portkey,direct]
 * [--rounds 5] [--seconds 2] [--warm 10] [--streams 9900] [--minutes 10] [--executable dist/gw] [--short] [--json FILE]`
 *
 * Targets run on core 0, the mock upstream and the load client on core 1 (with `taskset`; without it the numbers mean
 * less, and the bench says so). Everything is on loopback and bounded in time. Peers that are not there are skipped
 * with the reason; npm peers are installed into a cache folder outside the repository.
 */
import { parseArgs } from 'node:util'
import { coldStart } from './parts/cold.ts'
import { held } from './parts/held.ts'
import { bursts, paced, requests, type Row, show } from './parts/requests.ts'
import { quiet } from './parts/quiet.ts'
import { showSoak, soak } from './parts/soak.ts'
import { describeMachine, start } from './rig/process.ts'
import { runLoad } from './rig/run-load.ts'
import { direct } from './targets/direct.ts'
import { gw } from './targets/gw.ts'
import { nginx } from './targets/nginx.ts'
import { portkey } from './targets/portkey.ts'
import { rawBun } from './targets/raw-bun.ts'
import type { Starter, Target } from './targets/target.ts'

const starters: Readonly<Record<string, Starter>> = { direct, nginx, 'raw-bun': rawBun, gw, portkey }

const { values: options } = parseArgs({
  options: {
    parts: { type: 'string', default: 'requests,bursts,paced,held,cold,soak' },
    targets: { type: 'string', default: Object.keys(starters).join(',') },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '2' },
    warm: { type: 'string', default: '10' },
    streams: { type: 'string', default: '9900' },
    minutes: { type: 'string', default: '10' },
    executable: { type: 'string', default: 'dist/gw' },
    short: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})

const short = options.short
const rounds = short ? 2 : Number(options.rounds)
const windowMs = short ? 1000 : Number(options.seconds) * 1000
const streams = short ? 1000 : Number(options.streams)
const minutes = short ? 0.5 : Number(options.minutes)
const parts = new Set(options.parts.split(','))
const results: Record<string, unknown> = {}

console.log(describeMachine())

function report(part: string, rows: readonly Row[], text: string): void {
  results[part] = rows
  console.log(`\n${text}`)
}

await using mock = start([process.execPath, new URL('./rig/mock.ts', import.meta.url).pathname], { core: 1 })
const mockPort = Number((await mock.lines.next()).value)
await using stack = new AsyncDisposableStack()
const targets: Target[] = []
for (const name of options.targets.split(',')) {
  const starter = starters[name]
  if (!starter) throw new Error(`no target ${name}; there are ${Object.keys(starters).join(', ')}`)
  const target = await starter(mockPort)
  if ('skipped' in target) console.log(`skipped ${name}: ${target.skipped}`)
  else targets.push(stack.use(target))
}

// A just-in-time compiler needs its time: every target gets as much of it before anything counts.
const warmMs = short ? 3000 : Number(options.warm) * 1000
if (['requests', 'bursts', 'paced', 'held'].some((part) => parts.has(part))) {
  for (const target of targets) await runLoad(target, 'bench-json', { windowMs: warmMs })
}

if (parts.has('requests')) {
  const rows = await requests(targets, { rounds, windowMs })
  report('requests', rows, show(`Requests, 64 connections, medians of ${rounds} rounds`, rows, 'cpuMicros'))
}
if (parts.has('bursts')) {
  const rows = await bursts(targets, { rounds, windowMs })
  report('bursts', rows, show('Streams at full speed, CPU per chunk', rows, 'cpuMicros'))
}
if (parts.has('paced')) {
  const rows = await paced(targets, { rounds, windowMs })
  report('paced', rows, show('1,000 streams, a chunk each 100 ms, CPU per chunk', rows, 'cpuMicros'))
}
if (parts.has('held')) {
  const rows = await held(targets, mockPort, { streams, windowMs: Math.max(windowMs, 5000) })
  report('held', rows, show(`${streams} streams, a chunk each second`, rows, 'residentMb'))
}
if (parts.has('cold')) {
  const cold = await coldStart(options.executable, short ? 3 : 9)
  results['cold'] = cold
  console.log(`\n${'skipped' in cold ? `skipped cold start: ${cold.skipped}` : cold.text}`)
}
if (parts.has('quiet')) {
  const target = targets.find(({ name }) => name === 'gw')
  if (target) results['quiet'] = await quiet(target, short ? 0.5 : 15, (line) => console.log(line))
}
if (parts.has('soak')) {
  const target = targets.find(({ name }) => name === 'gw')
  if (target) {
    const soaked = await soak(target, mockPort, minutes)
    results['soak'] = soaked
    console.log(`\n${showSoak(target.name, minutes, soaked)}`)
  }
}
if (options.json !== undefined) await Bun.write(options.json, `${JSON.stringify(results, null, 2)}\n`)
