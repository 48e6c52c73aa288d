import { z } from 'zod'
import { GwError, type Json, Secret } from '../base/mod.ts'
import type { StoredProvider } from '../catalog/mod.ts'
import { type AccountRecord, storedRef } from '../accounts/mod.ts'
import type { OperationRooms } from './context.ts'
import { area, nothing, operation } from './operation.ts'

/*
 * `stored` providers speak the names of the wire contract of Link.Assistant.Router (`/api/providers`); the catalogue
 * speaks gw's.
 */

const provider = z.object({
  id: z.string(),
  name: z.string(),
  aliases: z.array(z.string()),
  auth: z.string().describe('how a credential is laid on a request'),
  env: z.array(z.string()).describe('variables that may hold its key'),
  protocols: z.array(z.string()),
  baseUrls: z.array(z.string()),
  capabilities: z.array(z.string()),
  local: z.boolean(),
  accounts: z.array(z.string()).describe('accounts you have with it'),
  docs: z.string(),
})

const record = z.object({
  name: z.string(),
  kind: z.literal('openai-compatible'),
  base_url: z.string(),
  default_model: z.string().nullable(),
  models: z.array(z.string()),
  api_key_env: z.string().nullable(),
  has_encrypted_api_key: z.boolean(),
  enabled: z.boolean(),
})

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'must be letters, digits, `.`, `_` or `-`')

/** A stored provider as the wire contract shows it: whether there is a key, never the key. */
export function viewStored(rooms: OperationRooms, stored: StoredProvider): z.output<typeof record> {
  const account = rooms.accounts.list().find((one) => one.id === stored.name)
  return {
    name: stored.name,
    kind: 'openai-compatible',
    base_url: stored.baseUrl,
    default_model: stored.defaultModel,
    models: [...stored.models],
    api_key_env: account?.source.type === 'env' ? account.source.variable : null,
    has_encrypted_api_key: account !== undefined && storedRef(account.source) !== null,
    enabled: stored.enabled,
  }
}

function storedOf(rooms: OperationRooms, wanted: string): StoredProvider {
  const found = rooms.providerStore.list().find((one) => one.name === wanted)
  if (found) return found
  throw new GwError('provider.not_found', `no stored provider ${wanted}`, { hint: 'gw providers stored' })
}

/** Companies and services with an API. */
export const providers = area({
  list: operation({
    summary: 'List the providers gw knows, and which of them you have an account with',
    scope: 'read',
    effect: 'reads',
    mcp: true,
    input: z.object({ mine: z.boolean().default(false).describe('only those with an account') }).strict(),
    output: z.object({ data: z.array(provider) }),
    cli: { columns: ['id', 'name', 'protocols', 'auth', 'accounts', 'env'] },
  }).query(({ ctx, input }) => {
    const { rooms, principal } = ctx
    const admin = principal.scopes.has('admin')
    const all = rooms.catalog().providers.map((one) => ({
      id: one.id,
      name: one.name,
      aliases: [...one.aliases],
      auth: one.auth.type,
      env: [...one.env],
      protocols: [...new Set(one.deployments.map(({ protocol }) => protocol))],
      baseUrls: one.deployments.map(({ baseUrl }) => baseUrl),
      capabilities: [...new Set(one.deployments.flatMap(({ capabilities }) => capabilities))],
      local: one.local ?? false,
      // Names of accounts are their owner's business.
      accounts: admin ? rooms.accounts.list().filter(({ provider }) => provider === one.id).map(({ id }) => id) : [],
      docs: one.docs,
    }))
    const have = new Set(rooms.accounts.list().map((account) => account.provider))
    return { data: input.mine ? all.filter(({ id }) => have.has(id)) : all }
  }),

  stored: operation({
    summary: 'List the providers of your own that are kept in the store',
    scope: 'admin',
    effect: 'reads',
    input: nothing,
    output: z.object({ data: z.array(record) }),
  }).query(({ ctx: { rooms } }) => ({ data: rooms.providerStore.list().map((one) => viewStored(rooms, one)) })),

  show: operation({
    summary: 'Show a provider of your own',
    scope: 'admin',
    effect: 'reads',
    input: z.object({ name: name.meta({ positional: 0 }) }).strict(),
    output: record,
  }).query(({ ctx: { rooms }, input }) => viewStored(rooms, storedOf(rooms, input.name))),

  add: operation({
    summary: 'Add or replace an OpenAI-compatible provider of your own, and an account with it',
    scope: 'admin',
    effect: 'mutates',
    idempotent: true,
    input: z.object({
      name: name.meta({ positional: 0 }),
      kind: z.enum(['openai-compatible', 'openai', 'openai_like', 'litellm']).default('openai-compatible'),
      base_url: z.url({ protocol: /^https?$/ }).meta({ positional: 1 }).describe('without a trailing slash'),
      default_model: z.string().max(300).nullish(),
      models: z.array(z.string().min(1).max(300)).max(1_000).default([]),
      api_key: z.string().min(1).max(65_536).optional().meta({ secret: true }).describe('kept encrypted'),
      api_key_env: z.string().regex(/^[A-Za-z_]\w*$/).nullish().describe('variable that holds the key'),
      enabled: z.boolean().default(true),
    }).strict(),
    output: record,
    before: ({ rooms }, input) => {
      const found = rooms.providerStore.list().find((one) => one.name === input.name)
      return Promise.resolve(found ? viewStored(rooms, found) as unknown as Json : null)
    },
  }).mutation(async ({ ctx: { rooms }, input }) => {
    const builtIn = rooms.catalog().provider(input.name)
    const mine = rooms.providerStore.list().some((one) => one.name === input.name)
    if (builtIn && !mine) {
      throw new GwError('request.conflict', `${input.name} is a provider that gw knows already`, {
        hint: `change it in the config under [providers.${input.name}], or choose another name`,
      })
    }
    const existing = rooms.accounts.list().find((one) => one.id === input.name)
    if (existing && existing.origin === 'config') {
      throw new GwError('request.conflict', `account ${input.name} is declared in the config file`, {
        hint: `change it there, or take it out: gw config unset accounts.${input.name}`,
      })
    }
    const stored: StoredProvider = {
      name: input.name,
      baseUrl: input.base_url.replace(/\/+$/, ''),
      defaultModel: input.default_model ?? null,
      models: input.models,
      enabled: input.enabled,
    }
    // The account is written while its provider is there: one that is switched off is in no catalogue.
    await rooms.providerStore.put({ ...stored, enabled: true })
    // The variable is asked first and the key when it is not set; what was there is kept when neither is given.
    const source: Partial<AccountRecord> = input.api_key_env
      ? { token_env: input.api_key_env, token_store: undefined }
      : {}
    const secret = input.api_key === undefined ? undefined : new Secret(input.api_key)
    if (existing?.origin === 'store') {
      await rooms.accounts.update(input.name, { ...source, enabled: input.enabled }, secret)
    } else await rooms.accounts.add({ ...source, id: input.name, provider: input.name, enabled: input.enabled }, secret)
    if (!stored.enabled) await rooms.providerStore.put(stored)
    await rooms.accounts.reload()
    return viewStored(rooms, stored)
  }),

  remove: operation({
    summary: 'Forget a provider of your own and the account of its name',
    scope: 'admin',
    effect: 'mutates',
    destructive: true,
    idempotent: true,
    input: z.object({ name: name.meta({ positional: 0 }) }).strict(),
    output: z.object({ removed: z.string() }),
    before: ({ rooms }, input) =>
      Promise.resolve(viewStored(rooms, storedOf(rooms, String(input.name))) as unknown as Json),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    storedOf(rooms, input.name)
    await rooms.providerStore.remove(input.name)
    if (rooms.accounts.list().some((one) => one.id === input.name && one.origin === 'store')) {
      await rooms.accounts.remove(input.name)
    } else await rooms.accounts.reload()
    return { removed: input.name }
  }),
})
