import { z } from 'zod'
import { GwError, Secret } from '../base/mod.ts'
import { keepToken, login, loginState, loginUse, usesLogin, viewLogin, viewLoginState } from './login-view.ts'
import { area, nothing, operation } from './operation.ts'

const vendor = z.string().min(1).max(64).describe('whom to log in to, as gw auth vendors shows them')
const binding = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/).optional().describe(
  'name of one of several logins with the same vendor',
)
const file = z.string().min(1).max(4_096).optional().describe('a login file of your own, instead of one of this home')
const place = { binding, auth_file: file }
const session = z.string().min(1).max(64).describe('a login under way')

const at = (input: { binding?: string | undefined; auth_file?: string | undefined }) => ({
  binding: input.binding ?? null,
  file: input.auth_file ?? null,
})

/** Logins with vendors: gw's own, and those of the programs beside it. */
export const auth = area({
  vendors: operation({
    summary: 'List whom one can log in to, and how',
    scope: 'admin',
    effect: 'reads',
    input: nothing,
    output: z.object({
      data: z.array(z.object({
        id: z.string(),
        name: z.string(),
        aliases: z.array(z.string()),
        provider: z.string().nullable(),
        browser: z.boolean(),
        device: z.boolean(),
        clientId: z.boolean().describe('whether gw knows an OAuth client id for it'),
        docs: z.string(),
      })),
    }),
    cli: { columns: ['id', 'name', 'provider', 'browser', 'device', 'docs'] },
  }).query(({ ctx: { rooms } }) => ({
    data: rooms.logins.vendors().list().map((one) => ({
      id: one.id,
      name: one.name,
      aliases: [...one.aliases],
      provider: one.provider,
      browser: one.authorizeUrl !== null || one.issuer !== null,
      device: one.device !== null || one.issuer !== null,
      clientId: one.clientId !== null,
      docs: one.docs,
    })),
  })),

  list: operation({
    summary: 'List the logins of this home',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: z.object({ data: z.array(login) }),
    cli: { columns: ['vendor', 'binding', 'email', 'plan', 'expiresAt', 'accounts', 'problem'] },
  }).query(async ({ ctx: { rooms } }) => ({
    data: (await rooms.logins.list()).map((info) => viewLogin(rooms, info)),
  })),

  discover: operation({
    summary: 'Find the logins of other programs on this machine',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: z.object({ data: z.array(login) }),
    cli: { columns: ['tool', 'where', 'email', 'plan', 'expiresAt', 'accounts', 'problem'] },
  }).query(async ({ ctx: { rooms } }) => ({
    data: (await rooms.logins.discover()).map((info) => viewLogin(rooms, info)),
  })),

  import: operation({
    summary: "Use another program's login, shared with it: nothing is copied, and both stay logged in",
    scope: 'admin',
    effect: 'mutates',
    input: z.object({
      tool: z.string().min(1).max(64).meta({ positional: 0 }).describe('its name, as gw auth discover shows it'),
      path: z.string().min(1).max(4_096).optional().describe('its login file, when not in the usual place'),
      id: z.string().min(1).max(128).optional().describe('name of the account; the provider id if absent'),
    }).strict(),
    output: z.object({ account: z.string(), login }),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const kept = await rooms.logins.foreign(input.tool, input.path ?? null)
    const info = { ...await rooms.logins.inspect(kept), tool: input.tool }
    // What is wrong with it is said in full by reading it once more.
    if (info.problem) await kept.store.read()
    if (!info.provider) {
      throw new GwError('request.unsupported', `${info.vendorName} is no provider of models`, {
        hint: 'gw token prints it for other programs',
      })
    }
    const account = await rooms.accounts.add({
      provider: info.provider,
      foreign: input.path ? { tool: input.tool, path: input.path } : input.tool,
      ...(input.id ? { id: input.id } : {}),
    })
    return { account: account.id, login: viewLogin(rooms, info) }
  }),

  inspect: operation({
    summary: 'Show a login: whose it is, where its tokens may go, and what the vendor says about its uses',
    scope: 'admin',
    effect: 'reads',
    input: z.object({
      vendor: vendor.meta({ positional: 0 }),
      ...place,
      tool: z.boolean().optional().describe("the other program's login instead of gw's own"),
    }).strict(),
    output: login.extend({ uses: z.array(loginUse) }),
  }).query(async ({ ctx: { rooms }, input }) => {
    const kept = input.tool ? await rooms.logins.foreign(input.vendor) : rooms.logins.own(input.vendor, at(input))
    const found = await rooms.logins.inspect(kept)
    const info = { ...found, binding: input.binding ?? null, tool: input.tool ? input.vendor : null }
    return { ...viewLogin(rooms, info), uses: info.uses.map((one) => ({ ...one })) }
  }),

  begin: operation({
    summary: 'Begin a login; it goes on in a browser, on another device, or by pasting',
    scope: 'admin',
    effect: 'interactive',
    input: z.object({
      vendor,
      method: z.enum(['browser', 'device', 'paste']).describe('browser listens on this machine until it comes back'),
      ...place,
      scopes: z.array(z.string().min(1)).optional(),
      login_hint: z.string().max(320).optional(),
      parameters: z.record(z.string(), z.string()).optional().describe('more parameters of the authorization request'),
      replace: z.boolean().optional().describe("replace somebody else's login"),
      wait_secs: z.int().min(1).max(600).optional().describe('how long the page may take; 600 if absent'),
    }).strict(),
    output: z.object({
      session: z.string(),
      url: z.string(),
      userCode: z.string().nullable(),
      intervalMs: z.int(),
      expiresAt: z.int(),
    }),
    cli: { hidden: true },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const begun = await rooms.loginSessions.begin({
      vendor: input.vendor,
      method: input.method,
      ...at(input),
      ...(input.scopes ? { scopes: input.scopes } : {}),
      ...(input.login_hint ? { loginHint: input.login_hint } : {}),
      ...(input.parameters ? { parameters: input.parameters } : {}),
      ...(input.replace ? { replace: true } : {}),
      ...(input.wait_secs ? { waitMs: input.wait_secs * 1_000 } : {}),
    })
    const { id, url, userCode, intervalMs, expiresAt } = begun
    return { session: id, url, userCode, intervalMs, expiresAt }
  }),

  poll: operation({
    summary: 'Say how a login stands; asks the vendor when it is time to',
    scope: 'admin',
    effect: 'interactive',
    input: z.object({ session }).strict(),
    output: loginState,
    idle: ({ rooms }, input) => rooms.loginSessions.waits(String(input.session)),
    cli: { hidden: true },
  }).mutation(async ({ ctx: { rooms }, input }) =>
    await viewLoginState(rooms, await rooms.loginSessions.poll(input.session))
  ),

  complete: operation({
    summary: 'Finish a login with the address or code that its page ended with',
    scope: 'admin',
    effect: 'interactive',
    input: z.object({ session, pasted: z.string().min(1).max(16_384).meta({ secret: true }) }).strict(),
    output: loginState,
    hide: (input) => ({ ...input, pasted: '[secret]' }),
    cli: { hidden: true },
  }).mutation(async ({ ctx: { rooms }, input }) =>
    await viewLoginState(rooms, await rooms.loginSessions.complete(input.session, input.pasted))
  ),

  cancel: operation({
    summary: 'Give up a login under way',
    scope: 'admin',
    effect: 'interactive',
    idempotent: true,
    input: z.object({ session }).strict(),
    output: z.object({ cancelled: z.string() }),
    cli: { hidden: true },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    await rooms.loginSessions.cancel(input.session)
    return { cancelled: input.session }
  }),

  refresh: operation({
    summary: 'Refresh a login now, once, whoever else asks for the same',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({ vendor: vendor.meta({ positional: 0 }), ...place }).strict(),
    output: z.object({ vendor: z.string(), expiresAt: z.int().nullable() }),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const grant = await rooms.logins.keeper.fresh(rooms.logins.own(input.vendor, at(input)), { force: true })
    return { vendor: grant.vendor, expiresAt: grant.expiresAt }
  }),

  logout: operation({
    summary: 'Forget a login of gw, and revoke it where the vendor lets one',
    scope: 'admin',
    effect: 'mutates',
    destructive: true,
    idempotent: true,
    input: z.object({ vendor: vendor.meta({ positional: 0 }), ...place }).strict(),
    output: z.object({ removed: z.boolean(), revoked: z.boolean() }),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const kept = rooms.logins.own(input.vendor, at(input))
    const result = await rooms.logins.remove(kept)
    const gone = { vendor: kept.vendor.id, binding: input.binding ?? null, tool: null }
    for (const account of rooms.accounts.list().filter((one) => one.origin === 'store' && usesLogin(one, gone))) {
      await rooms.accounts.remove(account.id)
    }
    return result
  }),

  addToken: operation({
    summary: 'Keep a token that you already have as a login',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({
      vendor: vendor.meta({ positional: 0 }),
      ...place,
      token: z.string().min(8).max(65_536).meta({ secret: true }).describe('the access token'),
      refresh: z.string().min(8).max(65_536).optional().meta({ secret: true }).describe('its refresh token'),
      expires_at: z.int().min(0).optional().describe('epoch seconds'),
    }).strict(),
    output: z.object({ account: z.string().nullable(), login }),
    hide: (input) => ({ ...input, token: '[secret]', ...(input.refresh ? { refresh: '[secret]' } : {}) }),
  }).mutation(({ ctx: { rooms }, input }) =>
    keepToken(rooms, input.vendor, at(input), {
      token: input.token,
      refresh: input.refresh ?? null,
      expiresAt: input.expires_at === undefined ? null : input.expires_at * 1_000,
    })
  ),

  setupToken: operation({
    summary: 'Keep a long-lived Claude token, as claude setup-token prints it',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({
      token: z.string().regex(
        /^sk-ant-oat01-[\w-]{67,}$/,
        'is not what claude setup-token prints, which is one word of at least 80 characters',
      )
        .meta({ secret: true }),
      binding,
    }).strict(),
    output: z.object({ account: z.string().nullable(), login }),
    hide: (input) => ({ ...input, token: '[secret]' }),
  }).mutation(({ ctx: { rooms }, input }) =>
    keepToken(rooms, 'claude', { binding: input.binding ?? 'setup-token', file: null }, {
      token: input.token.trim(),
      refresh: null,
      expiresAt: null,
    })
  ),

  setServerToken: operation({
    summary: 'Set the one shared token with every right that clients may send to gw',
    description: 'Only its hash is kept. Tokens that can be limited and revoked one by one: gw tokens issue.',
    scope: 'admin',
    effect: 'mutates',
    idempotent: true,
    input: z.object({
      token: z.string().max(4_096).optional().meta({ secret: true }).describe('at least 16 characters'),
      remove: z.boolean().optional().describe('take it away instead'),
    }).strict(),
    output: z.object({ set: z.boolean(), changed: z.boolean() }),
    hide: (input) => ({ ...input, ...(input.token === undefined ? {} : { token: '[secret]' }) }),
    cli: { secretUnless: 'remove', example: 'openssl rand -hex 24 | tee token.txt | gw auth set-server-token' },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    if ((input.token === undefined) === (input.remove !== true)) {
      throw new GwError('request.invalid', 'give a token, or take it away: one of both')
    }
    const changed = await rooms.access.setServerToken(input.token === undefined ? null : new Secret(input.token))
    return { set: input.token !== undefined, changed }
  }),

  setOrder: operation({
    summary: 'Put the stored accounts of a provider in order: the first is tried first where priority counts',
    scope: 'admin',
    effect: 'mutates',
    idempotent: true,
    input: z.object({
      provider: z.string().min(1).max(128).meta({ positional: 0 }),
      ids: z.array(z.string().min(1)).min(1).max(1_000).describe('its accounts, the first to be tried first'),
    }).strict(),
    output: z.object({ order: z.array(z.string()) }),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const found = input.ids.map((id) => rooms.accounts.get(id))
    const stranger = found.find((account) => account.provider !== input.provider)
    if (stranger) throw new GwError('request.invalid', `${stranger.id} is no account of ${input.provider}`)
    for (const [index, account] of found.entries()) {
      await rooms.accounts.update(account.id, { priority: found.length - index })
    }
    return { order: found.map((account) => account.id) }
  }),
})
