/**
 * How long explaining takes over many accounts: in this process, and from a cold start of the command line (the built
 * executable where there is one), beside a start that explains nothing.
 *
 * `bun bench/explain.ts [--accounts 200] [--runs 15] [--program dist/gw]`
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { silentLogger, systemClock } from '../lib/base/mod.ts'
import { createBoard } from '../lib/liveness/mod.ts'
import { detectPlatform } from '../lib/platform/mod.ts'
import { inventorySchema } from '../lib/repair/inventory/schema.ts'
import { createInventory, createRepair } from '../lib/repair/mod.ts'
import { openStorage } from '../lib/storage/mod.ts'
import { describeMachine } from './rig/process.ts'

const { values } = parseArgs({
  options: {
    accounts: { type: 'string', default: '200' },
    runs: { type: 'string', default: '15' },
    program: { type: 'string', default: 'dist/gw' },
  },
})
const [accounts, runs] = [Number(values.accounts), Number(values.runs)]
const capabilities = ['a', 'b', 'c', 'd', 'e']

const table = {
  provider_definitions: {
    many: { name: 'many', capabilities: capabilities.map((name) => ({ name })) },
  },
  providers: {
    many: {
      kind: 'many',
      accounts: Object.fromEntries(
        Array.from({ length: accounts }, (_, i) => [`n${i}`, { secret: { backend: 'env', variable: 'MANY_TOKEN' } }]),
      ),
    },
  },
}

/** Median and worst, in milliseconds. */
const summary = (times: readonly number[]): string => {
  const sorted = [...times].sort((a, b) => a - b)
  return `median ${sorted[sorted.length >> 1]!.toFixed(1)} ms, worst ${sorted.at(-1)!.toFixed(1)} ms`
}

console.log(describeMachine())
const folder = mkdtempSync(join(tmpdir(), 'gw-explain-'))
try {
  const storage = await openStorage({
    platform: await detectPlatform(),
    clock: systemClock,
    path: join(folder, 'in.sqlite'),
  })
  const board = await createBoard({ storage, clock: systemClock, random: Math.random, logger: silentLogger })
  const inventory = createInventory(inventorySchema().parse(table))
  const repair = createRepair({
    storage,
    clock: systemClock,
    logger: silentLogger,
    board,
    env: process.env,
    version: 'bench',
    inventory: () => inventory,
    fetch: () => Promise.reject(new Error('explaining asks nobody')),
  })
  const inside: number[] = []
  let routes = 0
  for (let i = 0; i < runs; i++) {
    const began = performance.now()
    routes = (await repair.explain({})).routes.length
    inside.push(performance.now() - began)
  }
  console.log(`${routes} routes, in this process: first ${inside[0]!.toFixed(1)} ms, ${summary(inside)}`)
  board.close()
  await storage.close()

  const toml = [
    '[stay_afloat.provider_definitions.many]',
    'name = "many"',
    `capabilities = [${capabilities.map((name) => `{ name = "${name}" }`).join(', ')}]`,
    '[stay_afloat.providers.many]',
    'kind = "many"',
    ...Array.from(
      { length: accounts },
      (_, i) => `[stay_afloat.providers.many.accounts.n${i}]\nsecret = { backend = "env", variable = "MANY_TOKEN" }`,
    ),
  ]
  writeFileSync(join(folder, 'config.toml'), `${toml.join('\n')}\n`, { mode: 0o600 })
  const program = existsSync(values.program)
    ? [values.program]
    : [process.execPath, new URL('../client/cli/main.ts', import.meta.url).pathname]
  const timed = (argv: readonly string[]): number => {
    const began = performance.now()
    const { status, stderr } = spawnSync(program[0]!, [...program.slice(1), ...argv], {
      env: { PATH: process.env.PATH, HOME: folder, GW_HOME: folder },
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    })
    if (status !== 0) throw new Error(`${argv.join(' ')} ended with ${status}: ${stderr}`)
    return performance.now() - began
  }
  for (const argv of [['--version'], ['route', 'explain', '--json'], ['route', 'explain', '--provider', 'many']]) {
    const times = Array.from({ length: runs }, () => timed(argv))
    console.log(`${program.length === 1 ? 'executable' : 'from sources'}, ${argv.join(' ')}: ${summary(times)}`)
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
