/**
 * What a plan costs: microseconds of CPU for one `router.plan` over 20 accounts, by what the accounts have been through.
 * The bar is 10 µs. Run: `bun bench/planning.ts [accounts]`.
 */
import { type AccountId, type Json, type JsonObject, manualClock, silentLogger } from '../lib/base/mod.ts'
import type { Account } from '../lib/accounts/mod.ts'
import { catalogConfig } from '../lib/catalog/config.ts'
import { createCatalog } from '../lib/catalog/mod.ts'
import { createBoard } from '../lib/liveness/mod.ts'
import { detectPlatform } from '../lib/platform/mod.ts'
import { routingConfig } from '../lib/routing/config.ts'
import { createRouter, routeBody, type RouteCall } from '../lib/routing/mod.ts'
import { openStorage } from '../lib/storage/mod.ts'

const accountsWanted = Number(process.argv[2] ?? 20)
const rounds = 100
const turns = 600
const noon = Date.UTC(2026, 10, 2, 12)
const model = 'anthropic/claude-sonnet-4-5'

const accounts: readonly Account[] = Array.from({ length: accountsWanted }, (_, i) => ({
  id: `a${i}` as AccountId,
  provider: 'anthropic',
  label: `a${i}`,
  source: { type: 'none' },
  enabled: true,
  priority: 0,
  weight: 1,
  plan: false,
  allowUndocumentedUse: false,
  limits: { concurrency: null, requestsPerMinute: null, spendMicrosPerDay: null },
  baseUrl: null,
  models: [],
  tags: [],
  origin: 'config',
}))

const clock = manualClock(noon)
const settings = routingConfig.parse({})
const catalog = createCatalog({
  settings: catalogConfig.parse({}),
  overlays: { anthropic: { models: { 'claude-sonnet-4-5': { price: { input: 3, output: 15 } } } } },
})
let state = 1
const random = () => (state = (state * 1_103_515_245 + 12_345) % 2_147_483_648) / 2_147_483_648

async function open() {
  const storage = await openStorage({ platform: await detectPlatform(), clock, path: ':memory:' })
  const board = await createBoard({ storage, clock, random, logger: silentLogger })
  const router = await createRouter({
    storage,
    clock,
    random,
    logger: silentLogger,
    board,
    catalog: () => catalog,
    accounts: () => accounts,
    settings: () => settings,
  })
  return { board, router }
}

type World = Awaited<ReturnType<typeof open>>

const call = (more: Partial<RouteCall> = {}): RouteCall => ({
  capability: 'chat',
  protocol: 'anthropic-messages',
  model,
  headers: new Headers({ 'x-gw-session': 'one' }),
  body: null,
  principal: { id: 'p', models: null, providers: null, aliases: {}, account: null },
  ...more,
})

const week = (i: number, used: number) => ({
  id: '7d',
  lengthMs: 7 * 86_400_000,
  used,
  limit: null,
  remaining: null,
  resetsAt: noon + (i + 1) * 3_600_000,
  status: 'allowed' as const,
  model: null,
})

function serveAll({ board, router }: World): void {
  for (const [i, { target }] of router.plan(call()).targets.entries()) {
    board.observe(target, { is: 'success', firstByteMs: 400 + i, tokensPerSecond: 50, windows: [week(i, i / 40)] })
  }
}

function trouble({ board, router }: World): void {
  for (const { target } of router.plan(call()).targets.slice(0, 5)) {
    board.observe(target, {
      is: 'failure',
      failure: {
        ...{ kind: 'rate_limited', scope: 'account', status: 429, message: 'slow down', code: null },
        ...{ mayTryOther: true, retryAfterMs: 600_000, windows: [] },
      },
    })
  }
}

function bind({ router }: World): void {
  router.claim(router.plan(call()), 0)!.end({ is: 'answered' })
}

/** As serving has it: its fields found, nothing parsed. */
const body = (more: Json) =>
  routeBody(JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }], ...more as JsonObject }))

const cases: readonly (readonly [name: string, prepare: readonly ((world: World) => void)[], call: RouteCall])[] = [
  ['nobody was used yet', [], call()],
  ['every account has a quota window', [serveAll], call()],
  ['and a session that stays at home', [serveAll, bind], call()],
  ['and five accounts are rate limited', [serveAll, trouble], call()],
  ['by price', [serveAll], call({ strategy: 'lowest-price' })],
  ['by chance, weighted', [serveAll], call({ strategy: 'weighted' })],
  [
    'with controls in the body',
    [serveAll],
    call({ body: body({ provider: { ignore: ['openai'], max_price: { prompt: 10 } } }) }),
  ],
  ['with an order', [serveAll], call({ body: body({ provider: { order: ['a7', 'a3'] } }) })],
  [
    'with a wish for speed',
    [serveAll],
    call({ body: body({ provider: { preferred_max_latency: { p90: 2 } } }) }),
  ],
]

const rows: Record<string, Record<string, string>> = {}
for (const [name, prepare, request] of cases) {
  const world = await open()
  for (const step of prepare) step(world)
  let kept = 0
  for (let i = 0; i < rounds / 4; i++) kept += world.router.plan(request).targets.length
  let best = Infinity
  for (let turn = 0; turn < turns; turn++) {
    const before = process.cpuUsage()
    for (let i = 0; i < rounds; i++) kept += world.router.plan(request).targets.length
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, (user + system) / rounds)
  }
  rows[name] = { 'µs a plan (≤ 10)': best.toFixed(2), targets: String(Math.round(kept / (rounds * (turns + 0.25)))) }
}
console.log(`${accountsWanted} accounts, ${rounds.toLocaleString('en')} plans a row, best of ${turns}`)
console.table(rows)
