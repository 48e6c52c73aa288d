import { z } from 'zod'
import { allowsModel, allowsProvider } from '../access/mod.ts'
import type { Account } from '../accounts/mod.ts'
import { GwError } from '../base/mod.ts'
import { matchesAny } from '../catalog/mod.ts'
import { type Board, judge, keysOf } from '../liveness/mod.ts'
import { asked } from './config-file.ts'
import { area, nothing, operation } from './operation.ts'

const price = z.object({
  inputMicros: z.number().describe('micro-USD per million tokens'),
  outputMicros: z.number(),
  cachedInputMicros: z.number().nullable(),
  cacheWriteMicros: z.number().nullable(),
  source: z.string(),
})

const model = z.object({
  id: z.string().describe('as requests name it'),
  provider: z.string(),
  contextTokens: z.number().nullable(),
  maxOutputTokens: z.number().nullable(),
  capabilities: z.array(z.string()),
  price: price.nullable(),
  accounts: z.array(z.string()).describe('accounts that can serve it now'),
  heardAt: z.number().nullable().describe('epoch ms when its provider last listed its models; null never'),
})

/** Whether an account may serve a model and nothing that was seen of it keeps it out at this moment. */
function canServe(
  account: Account,
  provider: string,
  model: string,
  board: Pick<Board, 'get'>,
  now: number,
): boolean {
  if (account.models.length > 0 && !matchesAny(account.models, model)) {
    if (!matchesAny(account.models, `${provider}/${model}`)) return false
  }
  const keys = keysOf({ provider, account: account.id, capability: 'chat', model })
  return [keys.account, keys.capability, keys.model].every((key) => {
    const standing = board.get(key)
    return standing === null || judge(standing, now).is !== 'blocked'
  })
}

/** What can be asked for. */
export const models = area({
  list: operation({
    summary: 'List the models you can ask for through the accounts there are',
    description: 'Prices are per million tokens, in and out.',
    scope: 'read',
    effect: 'reads',
    mcp: true,
    input: z.object({
      provider: z.string().max(128).optional().describe('only those of one provider'),
      available: z.boolean().default(false)
        .describe('ask the providers for their lists, and show only what can be used now'),
      refresh: z.boolean().default(false).describe('ask them even if their lists are young'),
      match: z.string().max(300).optional().describe('only names that hold this text'),
      limit: z.int().min(1).max(2_000).default(500),
    }).strict(),
    output: z.object({ data: z.array(model), total: z.int() }),
    cli: { columns: ['id', 'contextTokens', 'price.inputMicros', 'price.outputMicros', 'accounts', 'heardAt'] },
  }).query(async ({ ctx, input }) => {
    const { rooms, principal, clock } = ctx
    await rooms.loadFacts()
    if (input.available || input.refresh) await rooms.discovery.ask({ force: input.refresh })
    const catalog = rooms.catalog()
    const now = clock.now()
    const have = new Set(rooms.accounts.list().filter((one) => one.enabled).map((one) => one.provider))
    const wanted = input.provider === undefined ? null : catalog.provider(input.provider)
    if (input.provider !== undefined && !wanted) {
      throw new GwError('provider.not_found', `no provider ${input.provider}`, { hint: 'gw providers list' })
    }
    const found = catalog.providers
      .filter((one) => have.has(one.id) && (!wanted || one.id === wanted.id))
      .filter((one) => allowsProvider(principal, one.id))
      .flatMap((one) => {
        // Where the provider said what it has, the shipped list is only what it might have.
        const heard = input.available && rooms.discovery.found.has(one.id)
        const accounts = rooms.accounts.list().filter((account) =>
          account.enabled && catalog.provider(account.provider)?.id === one.id
        )
        const ids = heard ? [...catalog.listed(one.id)].sort() : catalog.modelIds(one.id)
        return ids.map((id) => ({
          provider: one.id,
          id,
          accounts: accounts.filter((account) => canServe(account, one.id, id, rooms.board, now)).map(({ id }) => id),
        }))
      })
      .filter(({ accounts }) => !input.available || accounts.length > 0)
      .filter(({ provider, id }) => allowsModel(principal, [id, `${provider}/${id}`]))
      .filter(({ provider, id }) => input.match === undefined || `${provider}/${id}`.includes(input.match))
    return {
      total: found.length,
      data: found.slice(0, input.limit).map(({ provider, id, accounts }) => {
        const facts = catalog.model(provider, id, now)
        return {
          id: `${provider}/${id}`,
          provider,
          contextTokens: facts.contextTokens,
          maxOutputTokens: facts.maxOutputTokens,
          capabilities: [...facts.capabilities],
          price: facts.price,
          accounts: [...accounts],
          heardAt: rooms.discovery.heardAt(provider),
        }
      }),
    }
  }),

  aliases: operation({
    summary: 'List the model names that mean others, and the default model',
    scope: 'read',
    effect: 'reads',
    mcp: true,
    input: nothing,
    output: z.object({
      data: z.array(z.object({ name: z.string(), model: z.string() })),
      defaultModel: z.string().nullable(),
    }),
  }).query(({ ctx: { rooms } }) => {
    const catalog = rooms.catalog()
    return {
      data: [...catalog.aliases].map(([name, model]) => ({ name, model })),
      defaultModel: catalog.defaultModel,
    }
  }),

  setDefault: operation({
    summary: 'Choose the model for requests that name none',
    scope: 'admin',
    effect: 'mutates',
    idempotent: true,
    input: z.object({ model: z.string().min(1).max(300).meta({ positional: 0 }) }).strict(),
    output: z.object({ defaultModel: z.string() }),
    before: ({ rooms }) => Promise.resolve(rooms.catalog().defaultModel),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    await asked(rooms.config.write([{ path: ['catalog', 'default_model'], value: input.model }]))
    return { defaultModel: input.model }
  }),

  alias: operation({
    summary: 'Let a model name mean another',
    scope: 'admin',
    effect: 'mutates',
    idempotent: true,
    input: z.object({
      name: z.string().min(1).max(200).meta({ positional: 0 }),
      model: z.string().min(1).max(300).meta({ positional: 1 }),
    }).strict(),
    output: z.object({ name: z.string(), model: z.string() }),
    before: ({ rooms }, input) => Promise.resolve(rooms.catalog().aliases.get(String(input.name)) ?? null),
  }).mutation(async ({ ctx: { rooms }, input }) => {
    await asked(rooms.config.write([{ path: ['catalog', 'aliases', input.name], value: input.model }]))
    return input
  }),
})
