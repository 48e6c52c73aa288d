import { z } from 'zod'
import type { Account } from '../accounts/mod.ts'
import { Secret, toGwError } from '../base/mod.ts'
import type { LoginInfo, LoginState } from '../credentials/mod.ts'
import type { OperationRooms } from './context.ts'

/** What the vendor says about one use of a login. */
export const loginUse = z.object({
  use: z.string(),
  entitlement: z.string().describe('native, passthrough, documented or undocumented'),
  page: z.string().describe("the vendor's page"),
  note: z.string(),
})

/** A login as every surface shows it. */
export const login = z.object({
  vendor: z.string(),
  vendorName: z.string(),
  binding: z.string().nullable(),
  tool: z.string().nullable().describe('the program whose login it is; null for one of gw'),
  where: z.string().describe('the file or keychain item that holds it'),
  email: z.string().nullable(),
  accountId: z.string().nullable(),
  userId: z.string().nullable(),
  organizationId: z.string().nullable(),
  organization: z.string().nullable(),
  projectId: z.string().nullable(),
  plan: z.string().nullable(),
  expiresAt: z.int().nullable(),
  refreshedAt: z.int().nullable(),
  canRefresh: z.boolean(),
  scopes: z.array(z.string()),
  provider: z.string().nullable().describe('the provider that its tokens are for'),
  audience: z.array(z.string()).describe('origins that its tokens may be sent to'),
  accounts: z.array(z.string()).describe('accounts of this home that use it'),
  problem: z.string().nullable(),
})

/** How a login under way stands. */
export const loginState = z.object({
  state: z.enum(['pending', 'done', 'failed']),
  session: z.string(),
  intervalMs: z.int(),
  login: login.nullable(),
  account: z.string().nullable().describe('the account that uses the login'),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }).nullable(),
})

/** {@link login}, with the accounts of this home that use it. */
export function viewLogin(
  rooms: OperationRooms,
  { identity, audience, scopes, uses: _, ...info }: LoginInfo,
): z.output<typeof login> {
  const accounts = rooms.accounts.list().filter((account) => usesLogin(account, info))
  return { ...info, ...identity, audience: [...audience], scopes: [...scopes], accounts: accounts.map(({ id }) => id) }
}

/** Whether an account takes its credential from a login. */
export function usesLogin({ source }: Account, info: Pick<LoginInfo, 'vendor' | 'binding' | 'tool'>): boolean {
  if (info.tool !== null) return source.type === 'foreign' && source.tool === info.tool
  return source.type === 'login' && source.vendor === info.vendor && source.binding === info.binding
}

/** The account that uses a login; made when the login's vendor is a provider of the catalogue and nobody uses it yet. */
async function ensureAccount(rooms: OperationRooms, info: LoginInfo): Promise<Account | null> {
  const known = rooms.accounts.list().find((account) => usesLogin(account, info))
  if (known || info.provider === null) return known ?? null
  try {
    return await rooms.accounts.add({
      provider: info.provider,
      ...(info.tool !== null
        ? { foreign: info.tool }
        : { login: info.binding === null ? info.vendor : `${info.vendor}.${info.binding}` }),
    })
  } catch (error) {
    // The login itself is safe; a provider that this catalogue does not have gets no account.
    if (toGwError(error).code === 'provider.not_found') return null
    throw error
  }
}

/** {@link loginState}; a login that is done gets its account. */
export async function viewLoginState(rooms: OperationRooms, now: LoginState): Promise<z.output<typeof loginState>> {
  const base = { state: now.state, session: now.session.id, intervalMs: now.session.intervalMs }
  if (now.state === 'failed') {
    const { code, message, hint } = now.error
    return { ...base, login: null, account: null, error: { code, message, hint: hint ?? null } }
  }
  if (now.state === 'pending') return { ...base, login: null, account: null, error: null }
  const account = await ensureAccount(rooms, now.login)
  return { ...base, login: viewLogin(rooms, now.login), account: account?.id ?? null, error: null }
}

/** Keeps tokens that somebody has already as a login, with an account that uses it. */
export async function keepToken(
  rooms: OperationRooms,
  id: string,
  at: { binding: string | null; file: string | null },
  { token, refresh, expiresAt }: { token: string; refresh: string | null; expiresAt: number | null },
) {
  const kept = rooms.logins.own(id, at)
  await rooms.logins.keepToken(kept, new Secret(token), refresh === null ? null : new Secret(refresh), expiresAt)
  const info = { ...await rooms.logins.inspect(kept), binding: at.binding }
  const account = at.file === null ? await ensureAccount(rooms, info) : null
  return { account: account?.id ?? null, login: viewLogin(rooms, info) }
}
