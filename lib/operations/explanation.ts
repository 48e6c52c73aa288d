import { z } from 'zod'
import type { Scope as RouteScope } from '../repair/mod.ts'
import type { OperationRooms } from './context.ts'
import { anyJson, operation } from './operation.ts'

/** A name that a caller gives, of a profile, provider, account or key. */
export const name = z.string().min(1).max(1_024)

/** Which routes are meant. */
export const scope = {
  profile: name.optional().describe('routes of this profile, in its order'),
  provider: name.optional().describe('only this provider'),
  account: name.optional().describe('only this account of the provider'),
  capability: name.optional().describe('only this capability'),
}

/** An input that only says which routes are meant. */
export const scoped = z.object(scope).strict()
const route = z.object({
  provider: z.string(),
  account: z.string(),
  capability: z.string().nullable(),
  health_key: z.string(),
})
/** Reports whose members are their own business. */
export const reports = z.array(z.looseObject({}))

/** Routes with their states and what to do next. */
const explanation = z.object({
  version: z.string(),
  action: z.string(),
  policy: anyJson,
  profile: z.string().nullable(),
  capability: z.string().nullable(),
  ok: z.boolean().describe('a route can be used now'),
  selected: route.nullable(),
  routes: reports.describe('each route with its state, evidence, admission and next step'),
})

/** An operation that explains the routes of a scope. */
export function explaining(
  action: 'explain' | 'select' | 'repair-plan',
  text: { readonly summary: string; readonly description?: string; readonly mcp?: true },
) {
  return operation({
    ...text,
    scope: 'route:read',
    effect: 'reads',
    input: scoped,
    output: explanation,
    cli: { hidden: true },
  }).query(({ ctx: { rooms }, input }) => explain(rooms, input, action))
}

/** The routes of a scope, explained; nothing is probed, written or connected to. */
async function explain(rooms: OperationRooms, input: RouteScope, action: 'explain' | 'select' | 'repair-plan') {
  return await rooms.repair.explain(input, action) as unknown as z.output<typeof explanation>
}
