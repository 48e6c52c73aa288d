import { Elysia } from 'elysia'
import { requireScope } from '../../lib/access/mod.ts'
import { GwError } from '../../lib/base/mod.ts'
import { judge } from '../../lib/liveness/mod.ts'
import { formatTarget } from '../../lib/accounts/mod.ts'
import { metricsContentType } from '../../lib/usage/mod.ts'
import { principalOf } from '../call.ts'
import type { Door } from '../door.ts'

const security = [{ token: [] }]
const tags = ['usage']
const hook = (summary: string) => ({
  parse: 'none' as const,
  detail: {
    tags,
    summary,
    security,
    responses: { 200: { description: 'Done' }, default: { $ref: '#/components/responses/Problem' } },
  },
})

/** Counters and accounts in the shapes that monitors of older gateways read. */
export function usageRoutes(door: Door) {
  const { rooms } = door.gateway
  const settings = () => rooms.config.current().config.server
  return new Elysia({ name: 'usage' })
    .get('/metrics', async ({ request }) => {
      if (!settings().metrics) throw new GwError('request.not_found', 'there is nothing at /metrics')
      requireScope(await principalOf(door, request), 'admin')
      return new Response(rooms.usage.metrics.text(), { headers: { 'content-type': metricsContentType } })
    }, hook('Metrics in the Prometheus text format'))
    .get('/v1/usage', async ({ request }) => {
      requireScope(await principalOf(door, request), 'admin')
      return Response.json(rooms.usage.metrics.counters())
    }, hook('Counters since the start'))
    .get('/v1/accounts', async ({ request }) => {
      requireScope(await principalOf(door, request), 'admin')
      const now = rooms.clock.now()
      const calls = rooms.usage.metrics.counters().account_calls
      const accounts = rooms.accounts.list().map((account) => {
        const standing = rooms.board.get(formatTarget(account.provider, account.id))
        const verdict = standing ? judge(standing, now) : null
        const until = verdict?.is === 'blocked' ? verdict.until : null
        return {
          name: account.id,
          provider: account.provider,
          home: account.source.type === 'foreign' || account.source.type === 'file' ? account.source.path : null,
          healthy: account.enabled && verdict?.is !== 'blocked',
          used: calls[account.id] ?? 0,
          last_error: verdict?.is === 'blocked' ? verdict.because : null,
          cooldown_remaining_seconds: until === null ? 0 : Math.max(0, Math.ceil((until - now) / 1000)),
        }
      })
      return Response.json({ accounts })
    }, hook('Accounts and how they fare'))
}
