/**
 * Where gw's time goes: runs gw under Bun's CPU profiler and the load of the relay bench, and prints the functions that
 * cost most, by themselves and with what they call.
 *
 * `bun bench/profile.ts [--model bench-json|bench-burst-64|bench-pace-100-0] [--translated] [--seconds 10] [--top 40]`
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine, start } from './rig/process.ts'
import { chatBody, messagesBody, runLoad } from './rig/run-load.ts'
import { table } from './rig/stats.ts'
import { startGw } from './targets/gw.ts'

const { values: options } = parseArgs({
  options: {
    model: { type: 'string', default: 'bench-json' },
    seconds: { type: 'string', default: '10' },
    translated: { type: 'boolean', default: false },
    top: { type: 'string', default: '40' },
  },
})

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
}

interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

console.log(describeMachine())
const folder = mkdtempSync(join(tmpdir(), 'gw-profile-'))
try {
  await using mock = start([process.execPath, new URL('./rig/mock.ts', import.meta.url).pathname], { core: 1 })
  const mockPort = Number((await mock.lines.next()).value)
  const target = await startGw(mockPort, ['--cpu-prof', `--cpu-prof-dir=${folder}`])
  const held = options.model.startsWith('bench-pace')
  const order = held ? { connections: 1000, openPerSecond: 2000, mode: 'hold' as const } : {}
  const name = `${target.prefix}${options.model}`
  const stream = options.model !== 'bench-json'
  const request = options.translated
    ? { path: '/v1/messages', body: messagesBody(name, stream) }
    : { path: '/v1/chat/completions', body: chatBody(name, stream) }
  const run = await runLoad(target, '', { windowMs: Number(options.seconds) * 1000, ...order }, request)
  const what = held || run.chunks > 0 ? `${run.chunks} chunks` : `${run.answers} answers`
  console.log(
    `${what}, ${(run.cpuMicros / (run.chunks || run.answers)).toFixed(1)} µs of CPU each, profiler included\n`,
  )
  await target[Symbol.asyncDispose]()
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'))
  if (file === undefined) throw new Error('the profiler wrote nothing')
  report(await Bun.file(join(folder, file)).json() as Profile, Number(options.top))
} finally {
  rmSync(folder, { recursive: true, force: true })
}

function report(profile: Profile, top: number): void {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id])))
  const own = new Map<string, number>()
  const whole = new Map<string, number>()
  let total = 0
  for (const [i, sample] of profile.samples.entries()) {
    const micros = profile.timeDeltas[i] ?? 0
    total += micros
    const seen = new Set<string>()
    for (let id: number | undefined = sample; id !== undefined; id = parents.get(id)) {
      const name = nameOf(nodes.get(id)!)
      if (id === sample) own.set(name, (own.get(name) ?? 0) + micros)
      if (!seen.has(name)) whole.set(name, (whole.get(name) ?? 0) + micros)
      seen.add(name)
    }
  }
  const rows = (map: Map<string, number>): (string | number)[][] =>
    [...map].sort((a, b) => b[1] - a[1]).slice(0, top).map(([name, micros]) => [100 * micros / total, name])
  console.log(`By itself\n${table(['%', 'function'], rows(own))}\n`)
  console.log(`With what it calls\n${table(['%', 'function'], rows(whole))}`)
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  const file = url.replace(/^.*\/(?=(?:lib|server|client|bench|node_modules)\/)/, '')
  return `${functionName || '(anonymous)'} ${file}${file === '' ? '' : `:${lineNumber + 1}`}`
}
