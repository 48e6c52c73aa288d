/**
 * How fast the executable starts: to a healthy answer with its database open, to the help, to the end of commands that
 * only read, and to an explanation of 1,000 routes; beside a compiled Elysia server that does nothing, in one interleaved
 * run. Wall time and processor time (all threads, user and system), medians. Nothing is pinned to a core: a start uses
 * what the machine has.
 *
 * `bun bench/start.ts [--program dist/gw] [--build] [--runs 11] [--only healthz,help]`
 */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine, freePort } from './rig/process.ts'
import { median, table } from './rig/stats.ts'

const { values } = parseArgs({
  options: {
    program: { type: 'string', default: 'dist/gw' },
    build: { type: 'boolean', default: false },
    runs: { type: 'string', default: '11' },
    only: { type: 'string' },
  },
})
const root = resolve(import.meta.dir, '..')
const program = resolve(values.program)
const runs = Number(values.runs)
const folder = mkdtempSync(join(tmpdir(), 'gw-start-'))

interface Took {
  readonly wallMs: number
  readonly cpuMs: number
}

interface Row {
  readonly name: string
  /** What it must not take longer than, milliseconds. */
  readonly bar?: number
  run(): Promise<Took>
}

/** Starts a program with a home and nothing else that could reach it. */
function spawn(argv: readonly string[], home: string) {
  return Bun.spawn([...argv], {
    env: { PATH: process.env.PATH, HOME: home, GW_HOME: home, MANY_TOKEN: 'sk-bench' },
    cwd: home,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  })
}

/** A command from its start to its end. */
async function command(argv: readonly string[], home: string): Promise<Took> {
  const began = performance.now()
  const child = spawn(argv, home)
  const status = await child.exited
  const wallMs = performance.now() - began
  if (status !== 0) {
    throw new Error(`${argv.join(' ')} ended with ${status}: ${await new Response(child.stderr).text()}`)
  }
  return { wallMs, cpuMs: Number(child.resourceUsage()!.cpuTime.total) / 1_000 }
}

/** A server from its start to its first healthy answer. */
async function healthy(argv: readonly string[], port: number, home: string): Promise<Took> {
  const began = performance.now()
  const child = spawn(argv, home)
  try {
    for (;;) {
      const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null)
      if (answer?.status === 200) return { wallMs: performance.now() - began, cpuMs: cpuMsOf(child.pid) }
      if (child.exitCode !== null) throw new Error(`${argv.join(' ')}: ${await new Response(child.stderr).text()}`)
      if (performance.now() - began > 20_000) throw new Error(`${argv.join(' ')} does not get healthy`)
      await Bun.sleep(1)
    }
  } finally {
    child.kill('SIGKILL')
    await child.exited
  }
}

/** Processor time of a running process so far: what the scheduler counted for its threads, nanoseconds. */
function cpuMsOf(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const nanos = threads.map((thread) =>
    Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0])
  )
  return nanos.reduce((sum, one) => sum + one, 0) / 1e6
}

/** A home with a config and a database, as a person has it. */
async function homeWith(name: string, toml: readonly string[]): Promise<string> {
  const home = join(folder, name)
  mkdirSync(home, { mode: 0o700 })
  if (toml.length > 0) writeFileSync(join(home, 'config.toml'), `${toml.join('\n')}\n`, { mode: 0o600 })
  await command([program, 'tokens', 'issue', '--label', 'bench'], home)
  return home
}

const accounts = (count: number) =>
  Array.from({ length: count }, (_, i) => `[accounts.a${i}]\nprovider = "openai"\ntoken_env = "MANY_TOKEN"`)

const capabilities = ['a', 'b', 'c', 'd', 'e']
const pool = [
  '[stay_afloat.provider_definitions.many]',
  'name = "many"',
  `capabilities = [${capabilities.map((name) => `{ name = "${name}" }`).join(', ')}]`,
  '[stay_afloat.providers.many]',
  'kind = "many"',
  ...Array.from(
    { length: 200 },
    (_, i) => `[stay_afloat.providers.many.accounts.n${i}]\nsecret = { backend = "env", variable = "MANY_TOKEN" }`,
  ),
]

console.log(describeMachine())
try {
  if (values.build || !existsSync(program)) {
    const built = Bun.spawnSync(['bun', 'run', 'build'], { cwd: root, stdout: 'inherit', stderr: 'inherit' })
    if (built.exitCode !== 0) throw new Error('the build failed')
  }
  const trivial = join(folder, 'trivial')
  const made = Bun.spawnSync(
    ['bun', 'build', '--compile', '--minify', '--bytecode', '--format=esm', 'bench/targets/trivial-server.ts']
      .concat('--outfile', trivial),
    { cwd: root, stdout: 'ignore', stderr: 'inherit' },
  )
  if (made.exitCode !== 0) throw new Error('the trivial server does not compile')

  const bare = await homeWith('bare', [])
  const used = await homeWith('used', [...accounts(5), '[limits]', 'idle_secs = 600'])
  const many = await homeWith('many', pool)
  const port = freePort()
  const serving = (home: string) => () => healthy([program, 'serve', '--port', String(port)], port, home)
  const reading = (words: string, home = used, bar = 150): Row => ({
    name: `gw ${words}`,
    bar,
    run: () => command([program, ...words.split(' ')], home),
  })
  const rows: readonly Row[] = [
    { name: 'trivial server: end', run: () => command([trivial], bare) },
    { name: 'trivial server: healthz', run: () => healthy([trivial, String(port)], port, bare) },
    { name: 'gw serve: healthz, no config', bar: 100, run: serving(bare) },
    { name: 'gw serve: healthz, five accounts', bar: 100, run: serving(used) },
    reading('--help'),
    reading('accounts --help'),
    reading('--version'),
    reading('version'),
    ...['accounts', 'providers', 'models', 'tokens'].map((area) => reading(`${area} list`)),
    ...['usage', 'status', 'quota', 'doctor'].map((word) => reading(word)),
    reading('route explain --json', many, 50),
  ]
  const wanted = values.only?.split(',')
  const measured = rows.filter(({ name }) => !wanted || wanted.some((part) => name.includes(part)))
  const took = measured.map((): Took[] => [])
  for (let round = -1; round < runs; round++) {
    for (const [i, row] of measured.entries()) {
      const one = await row.run()
      if (round >= 0) took[i]!.push(one)
    }
  }
  console.log(table(
    ['', 'wall ms', 'least', 'CPU ms', 'least', 'bar'],
    measured.map(({ name, bar }, i) => {
      const [wall, cpu] = [took[i]!.map(({ wallMs }) => wallMs), took[i]!.map(({ cpuMs }) => cpuMs)]
      return [name, median(wall), Math.min(...wall), median(cpu), Math.min(...cpu), bar ? `≤ ${bar}` : '']
    }),
  ))
} finally {
  rmSync(folder, { recursive: true, force: true })
}
