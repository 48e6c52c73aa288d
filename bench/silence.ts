/**
 * Two routes that shake hands, say nothing for a minute and are then overloaded, and a third that answers: what the
 * official clients see of it through gw as it serves, with the limits as they are shipped. Real sockets, real time.
 * Run: `bun bench/silence.ts [seconds of silence, default 60]`; it takes twice that long.
 */
import type { Json } from '../lib/base/mod.ts'
import { type Surface, surfaces } from '../test/lib/routing/surfaces.ts'
import { startGateway } from '../test/support/gateway.ts'
import { listen, silentRoutes, wrongWith } from './parts/silence.ts'

const seconds = Number(process.argv[2] ?? 60)
/** A pool of three providers, tried in their order. */
function routes({ protocol }: Surface, urls: readonly string[]): Record<string, Json> {
  const anthropic = protocol === 'anthropic-messages'
  const named = urls.map((url, i) => [`r${i + 1}`, anthropic ? url : `${url}/v1`] as const)
  return {
    'egress.allow_origins': [...urls],
    'routing.pools.mix': { members: named.map(([name]) => `${name}/m`), strategy: 'priority' },
    ...Object.fromEntries(named.flatMap(([name, base_url], i) => [
      [`providers.${name}`, { protocol, base_url, auth: anthropic ? 'anthropic' : 'bearer', models: { m: {} } }],
      [`accounts.${name}`, { provider: name, token_env: 'KEY', priority: 9 - i }],
    ])),
  }
}

const rows = await Promise.all(surfaces.map(async (surface) => {
  const upstreams = await silentRoutes(surface, seconds * 1000)
  await using gw = await startGateway({ settings: routes(surface, upstreams.map(({ url }) => url)), env: { KEY: 'k' } })
  const heard = await listen(surface, { url: gw.url, token: gw.token, model: 'mix' })
  const wrong = wrongWith(heard, upstreams)
  await Promise.all(upstreams.map((upstream) => upstream.close()))
  return {
    'official client of': heard.client,
    'status': heard.status,
    'starts': heard.starts,
    'keep-alives': heard.keepAlives,
    'errors seen': heard.errors,
    'longest pause, s': (heard.longestPauseMs / 1000).toFixed(1),
    'took, s': (heard.tookMs / 1000).toFixed(1),
    'verdict': wrong ?? 'one answer',
  }
}))
console.log(`three routes, two of them silent for ${seconds} s`)
console.table(rows)
process.exit(rows.every(({ verdict }) => verdict === 'one answer') ? 0 : 1)
