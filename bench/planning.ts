/**
 * What a plan costs: microseconds of CPU for one `router.plan` over 20 accounts, by what the accounts have been through.
 * The bar is 10 µs. Run: `bun bench/planning.ts [accounts]`.
 */
import type { Json, JsonObject } from '../lib/base/mod.ts'
import { routeBody } from '../lib/routing/body.ts'
import type { RouteCall } from '../lib/routing/call.ts'
import { account, bench, call as plainCall, failure, noon, quotaWindow } from '../test/lib/routing/support.ts'

const accountsWanted = Number(process.argv[2] ?? 20)
const rounds = 100
const turns = 600
const model = 'anthropic/claude-sonnet-4-5'

const accounts = Array.from({ length: accountsWanted }, (_, i) => account(`a${i}`, 'anthropic'))
const overlays = { anthropic: { models: { 'claude-sonnet-4-5': { price: { input: 3, output: 15 } } } } }

const open = () => bench(accounts, { overlays })

type World = Awaited<ReturnType<typeof open>>

const call = (more: Partial<RouteCall> = {}): RouteCall =>
  plainCall(model, { protocol: 'anthropic-messages', headers: new Headers({ 'x-gw-session': 'one' }), ...more })

const week = (i: number, used: number) => quotaWindow({ used, resetsAt: noon + (i + 1) * 3_600_000 })

function serveAll({ board, router }: World): void {
  for (const [i, { target }] of router.plan(call()).targets.entries()) {
    board.observe(target, { is: 'success', firstByteMs: 400 + i, tokensPerSecond: 50, windows: [week(i, i / 40)] })
  }
}

function trouble({ board, router }: World): void {
  for (const { target } of router.plan(call()).targets.slice(0, 5)) {
    board.observe(target, {
      is: 'failure',
      failure: failure('rate_limited', { scope: 'account', retryAfterMs: 600_000 }),
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
