import { z } from 'zod'
import type { LoginInfo } from '../credentials/mod.ts'
import { area, nothing, operation } from './operation.ts'

const login = z.object({
  vendor: z.string(),
  binding: z.string().nullable(),
  tool: z.string().nullable().describe('the program whose login it is; null for one of gw'),
  where: z.string(),
  email: z.string().nullable(),
  accountId: z.string().nullable(),
  organization: z.string().nullable(),
  plan: z.string().nullable(),
  expiresAt: z.number().nullable(),
  refreshedAt: z.number().nullable(),
  canRefresh: z.boolean(),
  provider: z.string().nullable(),
  uses: z.array(z.object({ use: z.string(), entitlement: z.string(), page: z.string(), note: z.string() })),
  problem: z.string().nullable(),
})

const view = (info: LoginInfo): z.output<typeof login> => ({
  vendor: info.vendor,
  binding: info.binding,
  tool: info.tool,
  where: info.where,
  email: info.identity.email,
  accountId: info.identity.accountId,
  organization: info.identity.organization,
  plan: info.identity.plan,
  expiresAt: info.expiresAt,
  refreshedAt: info.refreshedAt,
  canRefresh: info.canRefresh,
  provider: info.provider,
  uses: info.uses.map((use) => ({ ...use })),
  problem: info.problem,
})

const place = {
  vendor: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/).meta({ positional: 0 }),
  binding: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/).optional().describe('which login of the vendor'),
}

const columns = ['vendor', 'binding', 'email', 'plan', 'expiresAt', 'provider', 'problem', 'where']

/** Logins with vendors. */
export const auth = area({
  list: operation({
    summary: 'List the logins of this home',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: z.object({ logins: z.array(login) }),
    cli: { columns },
  }).query(async ({ ctx: { rooms } }) => ({ logins: (await rooms.logins.list()).map(view) })),

  discover: operation({
    summary: 'List logins of other programs on this machine that an account may share',
    scope: 'admin',
    effect: 'reads',
    input: nothing,
    output: z.object({ logins: z.array(login) }),
    cli: { columns: ['tool', ...columns] },
  }).query(async ({ ctx: { rooms } }) => ({ logins: (await rooms.logins.discover()).map(view) })),

  inspect: operation({
    summary: 'Show one login: whose it is, until when, and which uses its vendor documents',
    scope: 'admin',
    effect: 'reads',
    input: z.object(place).strict(),
    output: login,
  }).query(async ({ ctx: { rooms }, input }) =>
    view(
      await rooms.logins.inspect(
        rooms.logins.own(rooms.logins.vendors().get(input.vendor).id, { binding: input.binding ?? null }),
      ),
    )
  ),

  logout: operation({
    summary: 'Forget a login, revoking it first where its vendor lets one',
    scope: 'admin',
    effect: 'mutates',
    destructive: true,
    input: z.object(place).strict(),
    output: z.object({ removed: z.boolean(), revoked: z.boolean() }),
  }).mutation(({ ctx: { rooms }, input }) =>
    rooms.logins.remove(
      rooms.logins.own(rooms.logins.vendors().get(input.vendor).id, { binding: input.binding ?? null }),
    )
  ),
})
