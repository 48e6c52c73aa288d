import { Elysia } from 'elysia'
import { GwError, type JsonObject } from '../../lib/base/mod.ts'
import type { ConfigCaller } from './config-snapshots.ts'

/** What a summary and a request hold, as far as these shapes show it. */
interface Sums {
  readonly key?: string
  readonly requests: number
  readonly errors: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly costMicros: number | null
  readonly meanDurationMs: number | null
  readonly meanFirstByteMs: number | null
}
interface Listed {
  readonly at: number
  readonly id: string
  readonly provider: string | null
  readonly model: string | null
  readonly surface: string
  readonly account: string | null
  readonly principal: string
  readonly inputTokens: number | null
  readonly outputTokens: number | null
  readonly durationMs: number
  readonly costMicros: number | null
  readonly status: number
  readonly outcome: string
}
interface Summary {
  readonly from: number
  readonly to: number
  readonly totals: Sums
  readonly data: readonly (Sums & { readonly key: string })[]
}

/** Each way to cut the usage, by the last step of its path, and what its key is called there. */
const cuts: Readonly<Record<string, readonly [by: string, key: string, summary: string]>> = {
  chart: ['day', 'date', 'Usage by day'],
  providers: ['provider', 'provider', 'Usage by provider'],
  models: ['model', 'model', 'Usage by model'],
  endpoints: ['surface', 'endpoint', 'Usage by endpoint'],
  sources: ['client', 'source', 'Usage by client program'],
}

/** `/config/usage/…`: the usage operations in the shapes of Open LLM Auth. Cost is in US dollars. */
export function configUsage(
  enter: (request: Request) => Promise<ConfigCaller>,
  hook: (summary: string) => object,
) {
  const run = async (request: Request, name: string, input: JsonObject): Promise<JsonObject> =>
    (await enter(request)).run(name, input)
  const ask = (request: Request, by: string): Promise<Summary> =>
    run(request, 'usage.summary', { by, limit: 1_000, ...span(request) }) as unknown as Promise<Summary>
  const routes = new Elysia({ name: 'config-usage' })

  for (const [path, [by, key, summary]] of Object.entries(cuts)) {
    routes.get(`/config/usage/${path}`, async ({ request }) => {
      const cut = by === 'day' && new URL(request.url).searchParams.get('granularity') === 'hour' ? 'hour' : by
      const { data } = await ask(request, cut)
      return Response.json({ [path]: data.map((row) => ({ [key]: row.key, ...sums(row) })) })
    }, hook(summary))
  }
  routes.get('/config/usage/summary', async ({ request }) => {
    const { from, to, totals } = await ask(request, 'day')
    return Response.json({ from, to, ...sums(totals) })
  }, hook('Usage in one line'))
  routes.get('/config/usage/overview', async ({ request }) => {
    const [days, providers, models] = await Promise.all(['day', 'provider', 'model'].map((by) => ask(request, by)))
    return Response.json({
      summary: sums(days!.totals),
      chart: days!.data.map((row) => ({ date: row.key, ...sums(row) })),
      providers: providers!.data.slice(0, 10).map((row) => ({ provider: row.key, ...sums(row) })),
      models: models!.data.slice(0, 10).map((row) => ({ model: row.key, ...sums(row) })),
    })
  }, hook('Usage at a glance'))
  routes.get('/config/usage/provider-telemetry', async ({ request }) => {
    const { data } = await ask(request, 'provider')
    return Response.json({
      providers: data.map((row) => ({
        provider: row.key,
        requests: row.requests,
        errors: row.errors,
        error_rate: row.requests === 0 ? 0 : row.errors / row.requests,
        avg_latency_ms: row.meanDurationMs,
        avg_first_byte_ms: row.meanFirstByteMs,
      })),
    })
  }, hook('How providers fare'))
  routes.get('/config/usage/recent', async ({ request }) => {
    const limit = number(request, 'limit') ?? 50
    const { data } = await run(request, 'usage.requests', { limit, ...span(request) }) as unknown as {
      data: readonly Listed[]
    }
    return Response.json({
      recent: data.map((one) => ({
        id: one.id,
        ts: one.at,
        provider: one.provider,
        model: one.model,
        endpoint: one.surface,
        source: one.principal,
        profile_id: one.account,
        prompt_tokens: one.inputTokens,
        completion_tokens: one.outputTokens,
        total_tokens: one.inputTokens === null && one.outputTokens === null
          ? null
          : (one.inputTokens ?? 0) + (one.outputTokens ?? 0),
        latency_ms: one.durationMs,
        cost: usd(one.costMicros),
        status: one.status,
        outcome: one.outcome,
      })),
    })
  }, hook('The newest requests'))
  return routes
}

const usd = (micros: number | null): number | null => micros === null ? null : micros / 1_000_000

const sums = (row: Sums): JsonObject => ({
  requests: row.requests,
  errors: row.errors,
  prompt_tokens: row.inputTokens,
  completion_tokens: row.outputTokens,
  total_tokens: row.inputTokens + row.outputTokens,
  avg_latency_ms: row.meanDurationMs,
  cost: usd(row.costMicros),
})

/** `?days=7` or `?hours=24`, or `from` and `to` in epoch ms. */
function span(request: Request): JsonObject {
  const days = number(request, 'days')
  const hours = number(request, 'hours')
  const [from, to] = [number(request, 'from'), number(request, 'to')]
  const ms = days !== undefined ? days * 86_400_000 : hours !== undefined ? hours * 3_600_000 : undefined
  return {
    ...(from !== undefined ? { from } : ms !== undefined ? { from: Math.max(0, Math.round(Date.now() - ms)) } : {}),
    ...(to !== undefined ? { to } : {}),
  }
}

function number(request: Request, name: string): number | undefined {
  const text = new URL(request.url).searchParams.get(name)
  if (text === null) return undefined
  const value = Number(text)
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value
  throw new GwError('request.invalid', `${name}: expected a number`, { param: name })
}
