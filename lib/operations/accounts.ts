import { z } from 'zod'
import { type Account, type AccountRecord, type NewAccount, sourceKeys } from '../accounts/mod.ts'
import { GwError, type Json, redact, Secret, toGwError } from '../base/mod.ts'
import type { SourceSpec } from '../credentials/mod.ts'
import type { OperationRooms } from './context.ts'
import { area, operation } from './operation.ts'

const id = z.string().min(1).max(128).describe('name of an account, as the list shows it')

const account = z.object({
  id: z.string(),
  provider: z.string(),
  label: z.string(),
  source: z.string().describe('where its credential comes from'),
  enabled: z.boolean(),
  priority: z.int(),
  weight: z.number(),
  plan: z.boolean().describe('a plan login rather than an API key'),
  allowUndocumentedUse: z.boolean(),
  baseUrl: z.string().nullable(),
  models: z.array(z.string()).describe('models it may be used for; empty is all'),
  tags: z.array(z.string()),
  concurrency: z.number().nullable(),
  requestsPerMinute: z.number().nullable(),
  spendMicrosPerDay: z.number().nullable(),
  origin: z.enum(['config', 'store', 'environment']).describe('where it is declared'),
  sameIdentityAs: z.array(z.string()).describe('accounts that are the same person at the provider'),
})

/** Where a secret comes from, in one line and without the secret: `env:OPENAI_API_KEY`. */
export function describeSource(source: SourceSpec): string {
  switch (source.type) {
    case 'env':
      return `env:${source.variable}${source.otherwise ? `, else store:${source.otherwise.ref}` : ''}`
    case 'file':
    case 'google':
      return `${source.type}:${source.path}`
    case 'command':
      return `command:${source.argv[0]}`
    case 'store':
      return `store:${source.ref}`
    case 'keychain':
      return `keychain:${source.service}/${source.account}`
    case 'sops':
      return `sops:${source.path}${source.key === undefined ? '' : `#${source.key}`}`
    case 'age':
      return `age:${source.path}`
    case 'aws':
      return `aws:${source.profile ?? 'environment'}`
    case 'login':
      return `login:${source.vendor}${source.binding === null ? '' : `.${source.binding}`}`
    case 'foreign':
      return `foreign:${source.tool}${source.path === null ? '' : `=${source.path}`}`
    default:
      return source.type
  }
}

const forms = 'env:NAME, file:PATH, store:REF, keychain:SERVICE/ACCOUNT, sops:PATH[#KEY], age:PATH=IDENTITY, ' +
  'aws[:PROFILE], google:PATH, login:VENDOR[.BINDING], foreign:TOOL[=PATH], command:["program","arg"] or none'

/**
 * The record fields that a short source means.
 *
 * @throws GwError `request.invalid` naming the forms there are
 */
export function sourceFields(text: string): Partial<AccountRecord> {
  const at = text.indexOf(':')
  const [kind, rest] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
  const [first, second] = rest.split('=', 2) as [string, string?]
  const fields: Readonly<Record<string, () => Partial<AccountRecord> | null>> = {
    env: () => /^[A-Za-z_]\w*$/.test(rest) ? { token_env: rest } : null,
    file: () => rest ? { token_file: rest } : null,
    store: () => rest ? { token_store: rest } : null,
    keychain: () => {
      const cut = rest.indexOf('/')
      return cut > 0 ? { keychain: { service: rest.slice(0, cut), account: rest.slice(cut + 1) } } : null
    },
    sops: () => {
      const [path, key] = rest.split('#', 2) as [string, string?]
      return path ? { sops: key === undefined ? { path } : { path, key } } : null
    },
    age: () => first && second ? { age: { path: first, identity: second } } : null,
    aws: () => ({ aws_profile: rest || 'default' }),
    google: () => rest ? { google_key_file: rest } : null,
    login: () => rest ? { login: rest } : null,
    foreign: () => first ? { foreign: second === undefined ? first : { tool: first, path: second } } : null,
    command: () => {
      const argv = jsonArray(rest)
      return argv ? { token_command: argv } : null
    },
    none: () => ({}),
  }
  const read = Object.hasOwn(fields, kind) ? fields[kind]!() : null
  if (read) return read
  throw new GwError('request.invalid', `from: ${kind}:… is no source; write ${forms}`, { param: 'from' })
}

function jsonArray(text: string): string[] | null {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string') ? value : null
  } catch {
    return null
  }
}

/** An account as it is shown. */
export function view(rooms: Pick<OperationRooms, 'accounts'>, of: Account): z.output<typeof account> {
  return {
    id: of.id,
    provider: of.provider,
    label: of.label,
    source: describeSource(of.source),
    enabled: of.enabled,
    priority: of.priority,
    weight: of.weight,
    plan: of.plan,
    allowUndocumentedUse: of.allowUndocumentedUse,
    baseUrl: of.baseUrl,
    models: [...of.models],
    tags: [...of.tags],
    concurrency: of.limits.concurrency,
    requestsPerMinute: of.limits.requestsPerMinute,
    spendMicrosPerDay: of.limits.spendMicrosPerDay,
    origin: of.origin,
    sameIdentityAs: rooms.accounts.sameIdentity(of).map((other) => other.id),
  }
}

/** The fields of an account that may be given. */
export const changeable = {
  from: z.string().min(1).max(4_096).optional().describe(`where its secret comes from: ${forms}`),
  secret: z.string().min(1).max(65_536).optional().meta({ secret: true }).describe(
    'the secret itself, kept in the encrypted store',
  ),
  kind: z.enum(['api_key', 'auth_token']).optional().describe('needed only where a provider takes both'),
  label: z.string().max(200).optional(),
  priority: z.int().min(-1_000).max(1_000).optional().describe('higher is tried first'),
  weight: z.number().positive().max(1_000).optional().describe('share of the load where weight counts'),
  base_url: z.url({ protocol: /^https?$/ }).optional().describe('binds the credential to that origin'),
  models: z.array(z.string().min(1)).optional().describe('models it may be used for; empty is all'),
  tags: z.array(z.string().min(1)).optional(),
  account_id: z.string().min(1).optional().describe('sent beside the token where the provider asks for it'),
  concurrency: z.int().min(1).optional().describe('requests at once'),
  requests_per_minute: z.number().positive().optional(),
  spend_micros_per_day: z.int().positive().optional().describe('micro-USD'),
  allow_undocumented_use: z.boolean().optional().describe('permit what the vendor does not document'),
}

/** The record that an input means, and the secret that came with it. @throws GwError `request.invalid` */
export function recordOf<T extends { from?: string | undefined; secret?: string | undefined }>(
  input: T,
  fresh: boolean,
) {
  const { from, secret, ...fields } = input
  if (from !== undefined && secret !== undefined) {
    throw new GwError('request.invalid', 'give either from or a secret, not both', { param: 'from' })
  }
  // A new source takes the place of the old one: the two must not stand side by side.
  const cleared = fresh || (from ?? secret) === undefined
    ? {}
    : Object.fromEntries(sourceKeys.map((key) => [key, undefined]))
  const record = { ...cleared, ...fields, ...(from === undefined ? {} : sourceFields(from)) }
  return { record: record as Partial<AccountRecord>, secret: secret === undefined ? undefined : new Secret(secret) }
}

const before = (context: { rooms: OperationRooms }, input: { readonly [key: string]: unknown }): Promise<Json> =>
  Promise.resolve(view(context.rooms, context.rooms.accounts.get(String(input.id))) as unknown as Json)

/** What we have: keys and logins with providers. */
export const accounts = area({
  list: operation({
    summary: 'List the accounts of this home',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: z.object({ provider: z.string().max(128).optional().describe('only those of one provider') }).strict(),
    output: z.object({ data: z.array(account) }),
    cli: { columns: ['id', 'provider', 'source', 'enabled', 'priority', 'plan', 'origin'] },
  }).query(({ ctx: { rooms }, input }) => {
    const all = rooms.accounts.list().filter((one) => input.provider === undefined || one.provider === input.provider)
    return { data: all.map((one) => view(rooms, one)) }
  }),

  show: operation({
    summary: 'Show one account',
    scope: 'admin',
    effect: 'reads',
    mcp: true,
    input: z.object({ id: id.meta({ positional: 0 }) }).strict(),
    output: account,
  }).query(({ ctx: { rooms }, input }) => view(rooms, rooms.accounts.get(input.id))),

  add: operation({
    summary: 'Add an account; its secret comes from a source you name, or is read from stdin into the encrypted store',
    scope: 'admin',
    effect: 'mutates',
    input: z.object({
      provider: z.string().min(1).max(128).meta({ positional: 0 }).describe('id of a provider'),
      id: id.optional().describe('its name; the provider id if absent'),
      ...changeable,
    }).strict(),
    output: account,
    cli: { example: 'gw accounts add openai --from env:OPENAI_API_KEY', secretUnless: 'from' },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const { provider, id: name, ...rest } = input
    const { record, secret } = recordOf(rest, true)
    const made = { ...record, provider, ...(name === undefined ? {} : { id: name }) } as NewAccount
    return view(rooms, await rooms.accounts.add(made, secret))
  }),

  update: operation({
    summary: 'Change fields of a stored account',
    scope: 'admin',
    effect: 'mutates',
    idempotent: true,
    input: z.object({ id: id.meta({ positional: 0 }), ...changeable }).strict(),
    output: account,
    before,
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const { id: name, ...rest } = input
    const { record, secret } = recordOf(rest, false)
    return view(rooms, await rooms.accounts.update(name, record, secret))
  }),

  enable: operation({
    summary: 'Let a stored account be used again',
    scope: 'admin',
    effect: 'mutates',
    idempotent: true,
    input: z.object({ id: id.meta({ positional: 0 }) }).strict(),
    output: account,
    before,
  }).mutation(async ({ ctx: { rooms }, input }) => view(rooms, await rooms.accounts.setEnabled(input.id, true))),

  disable: operation({
    summary: 'Keep a stored account from being used',
    scope: 'admin',
    effect: 'mutates',
    idempotent: true,
    input: z.object({ id: id.meta({ positional: 0 }) }).strict(),
    output: account,
    before,
  }).mutation(async ({ ctx: { rooms }, input }) => view(rooms, await rooms.accounts.setEnabled(input.id, false))),

  remove: operation({
    summary: 'Forget a stored account and its stored secret',
    scope: 'admin',
    effect: 'mutates',
    destructive: true,
    mcp: true,
    input: z.object({ id: id.meta({ positional: 0 }) }).strict(),
    output: z.object({ removed: z.string() }),
    before,
  }).mutation(async ({ ctx: { rooms }, input }) => {
    await rooms.accounts.remove(input.id)
    return { removed: input.id }
  }),

  check: operation({
    summary: 'Read the credential of an account anew and say whether it can be had; asks no provider for a model',
    scope: 'admin',
    effect: 'spends',
    input: z.object({ id: id.meta({ positional: 0 }) }).strict(),
    output: z.object({
      id: z.string(),
      ok: z.boolean(),
      kind: z.string().nullable(),
      expiresAt: z.int().nullable(),
      error: z.string().nullable(),
      hint: z.string().nullable(),
    }),
  }).mutation(async ({ ctx, input }) => {
    const found = ctx.rooms.accounts.get(input.id)
    try {
      const credential = await ctx.rooms.accounts.credentialFor(found, {
        force: true,
        ...(ctx.signal ? { signal: ctx.signal } : {}),
      })
      return { id: input.id, ok: true, kind: credential.kind, expiresAt: credential.expiresAt, error: null, hint: null }
    } catch (cause) {
      const error = toGwError(cause)
      return {
        id: input.id,
        ok: false,
        kind: null,
        expiresAt: null,
        error: error.message,
        hint: error.hint ?? null,
      }
    }
  }),

  test: operation({
    summary: 'Ask the provider of an account for its models, to see whether the account is let in',
    scope: 'admin',
    effect: 'spends',
    mcp: true,
    input: z.object({ id: id.meta({ positional: 0 }) }).strict(),
    output: z.object({
      id: z.string(),
      provider: z.string(),
      ok: z.boolean(),
      models: z.int().nullable().describe('how many the provider listed'),
      error: z.string().nullable(),
      hint: z.string().nullable(),
    }),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const found = rooms.accounts.get(input.id)
    const base = { id: found.id, provider: found.provider }
    const failed = (error: string, hint: string | null) => ({ ...base, ok: false, models: null, error, hint })
    try {
      const told = await rooms.discovery.try(found)
      if ('because' in told) return failed(redact(told.because), `gw accounts check ${found.id}`)
      return { ...base, ok: true, models: told.models.length, error: null, hint: null }
    } catch (cause) {
      const { message, hint } = toGwError(cause)
      return failed(message, hint ?? null)
    }
  }),
})
