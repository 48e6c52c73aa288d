/**
 * How long explaining takes over many accounts: in this process, and from a cold start of the command line (the built
 * executable where there is one), beside a start that explains nothing. The accounts stand in the config in one home; in
 * the other they are stored in its database, with something known of each route and each model.
 *
 * `bun bench/explain.ts [--accounts 200] [--runs 15] [--program dist/gw]…`; several programs take turns
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { TargetKey } from '../lib/accounts/mod.ts'
import { Secret, silentLogger, systemClock } from '../lib/base/mod.ts'
import { loadConfig } from '../lib/config/mod.ts'
import { createBoard, type Observation } from '../lib/liveness/mod.ts'
import { openHome } from '../lib/open-home.ts'
import { detectPlatform } from '../lib/platform/mod.ts'
import { inventorySchema } from '../lib/repair/inventory/schema.ts'
import { createInventory, createRepair } from '../lib/repair/mod.ts'
import { openStorage } from '../lib/storage/mod.ts'
import { describeMachine } from './rig/process.ts'

const { values } = parseArgs({
  options: {
    accounts: { type: 'string', default: '200' },
    runs: { type: 'string', default: '15' },
    program: { type: 'string', multiple: true, default: ['dist/gw'] },
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

const outOfQuota: Observation = {
  is: 'failure',
  source: 'http_status',
  jitterMs: 0,
  failure: {
    kind: 'quota_exhausted',
    scope: 'account',
    status: 429,
    message: 'the quota is spent',
    code: null,
    mayTryOther: true,
    retryAfterMs: 18_000_000,
    windows: [],
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
    news: () => null,
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

  const programs = values.program.every((program) => existsSync(program))
    ? values.program.map((program) => [program])
    : [[process.execPath, new URL('../client/cli/main.ts', import.meta.url).pathname]]
  for (const [where, make] of [['the config', writeConfig], ['the database', fillDatabase]] as const) {
    const home = join(folder, where)
    mkdirSync(home, { mode: 0o700 })
    await make(home)
    for (const argv of [['--version'], ['route', 'explain', '--json'], ['accounts', 'list', '--json']]) {
      const turns = Array.from({ length: runs }, () => programs.map((program) => run(program, argv, home)))
      for (const [i, program] of programs.entries()) {
        const of = turns.map((turn) => turn[i]!)
        console.log(
          `accounts in ${where}, ${program.join(' ')} ${argv.join(' ')}: ${summary(of.map(({ wallMs }) => wallMs))}; ` +
            `CPU of all threads ${summary(of.map(({ cpuMs }) => cpuMs))}`,
        )
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** One start of the command line, to its end. */
function run(program: readonly string[], argv: readonly string[], home: string) {
  const began = performance.now()
  const { exitCode, stderr, resourceUsage } = Bun.spawnSync([...program, ...argv], {
    env: { PATH: process.env.PATH ?? '', HOME: home, GW_HOME: home },
  })
  const wallMs = performance.now() - began
  if (exitCode !== 0) throw new Error(`${argv.join(' ')} ended with ${exitCode}: ${stderr}`)
  return { wallMs, cpuMs: Number(resourceUsage.cpuTime.total) / 1_000 }
}

function writeConfig(home: string): void {
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
  writeFileSync(join(home, 'config.toml'), `${toml.join('\n')}\n`, { mode: 0o600 })
}

/** Accounts of a provider with five capabilities: most of them well, one in five out of quota. */
async function fillDatabase(folder: string): Promise<void> {
  const from = { env: { HOME: folder, GW_HOME: folder }, cwd: folder }
  const home = await openHome({
    platform: await detectPlatform(),
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
    from,
    loaded: await loadConfig(from),
    keychain: null,
    watch: false,
  })
  const ids = Array.from({ length: accounts }, (_, i) => `n${i}`)
  await home.storage.write((tx) =>
    home.accounts.change(tx, ids.map((id) => ({ id, put: { provider: 'openai' }, secret: new Secret(`sk-${id}`) })))
  )
  const served = home.catalog().provider('openai')!.deployments.flatMap(({ capabilities }) => capabilities)
  for (const [i, id] of ids.entries()) {
    for (const capability of new Set(served)) {
      const key = `openai:${id}#${capability}` as TargetKey
      if (i % 5 === 0) home.board.note(key, outOfQuota)
      else home.board.note(key, { is: 'success', source: 'capability_probe', status: 200 })
    }
    home.board.note(`openai:${id}#chat/a-model` as TargetKey, { is: 'success', source: 'serving', firstByteMs: 300 })
  }
  home.board.close()
  await home.close()
}
