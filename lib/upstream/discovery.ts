import { type Account, type Accounts, formatTarget, type Target } from '../accounts/mod.ts'
import { type Clock, isObject, type Logger, readAll } from '../base/mod.ts'
import type { Provider } from '../catalog/mod.ts'
import type { ProtocolId } from '../protocol/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { Upstream } from './send.ts'

/** Which models providers say they offer, and since when we know. */
export interface ModelDiscovery {
  /** Model ids by provider, as last told. The same map until something new is learnt. */
  readonly found: ReadonlyMap<string, readonly string[]>
  /** When a provider was last heard, epoch ms; `null` never. */
  heardAt(provider: string): number | null
  /**
   * Asks every provider that has an enabled account and was not heard lately, each through its first account that
   * answers. Whatever happens changes nothing but what is known here: a list is no proof of an account, nor its absence.
   */
  ask(options?: { readonly force?: boolean }): Promise<void>
  /**
   * Asks with one account for the models, to find out whether it is let in. Nothing is remembered.
   *
   * @throws GwError when its credential cannot be had
   */
  try(account: Account): Promise<Told>
}

/** What a provider told when it was asked for its models. */
export type Told = { readonly models: readonly string[] } | { readonly because: string }

/** What a {@link ModelDiscovery} needs. */
export interface DiscoveryOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly logger: Logger
  readonly accounts: Pick<Accounts, 'list' | 'credentialFor'>
  readonly provider: (id: string) => Provider | null
  /** `null` where nothing may be asked over the network. */
  readonly upstream: Upstream | null
  /** Called when there is something new. */
  readonly changed: () => void
}

/** A list this old is asked for again. */
const freshMs = 6 * 3_600_000
/** A provider that did not tell is left alone for so long. */
const sulkMs = 600_000
const askMs = 10_000
const maxBytes = 4 * 1024 * 1024
const maxModels = 5_000
const maxIdLength = 300
const atOnce = 4

/** Opens the discovery with what was told in earlier runs. */
export async function openDiscovery(options: DiscoveryOptions): Promise<ModelDiscovery> {
  const { storage, clock, logger, accounts, provider, upstream } = options
  const heard = new Map<string, number>()
  const failedAt = new Map<string, number>()
  let found: ReadonlyMap<string, readonly string[]> = new Map()
  let asking: Promise<void> | null = null

  const rows = await storage.db.selectFrom('provider_models').selectAll().execute()
  found = new Map(rows.map((row) => [row.provider, idsOf(parse(row.models))]))
  for (const row of rows) heard.set(row.provider, row.updated_ms)

  async function askOne(id: string, of: readonly Account[]): Promise<void> {
    for (const account of of.slice(0, 3)) {
      const told = await listOf(account, provider(account.provider), { accounts, upstream: upstream! }).catch(() =>
        null
      )
      if (told === null || !('models' in told) || told.models.length === 0) continue
      const { models } = told
      const now = clock.now()
      found = new Map(found).set(id, models)
      heard.set(id, now)
      failedAt.delete(id)
      storage.batch.queue(
        `insert into provider_models (provider, models, updated_ms) values (?, ?, ?) on conflict (provider)
          do update set models = excluded.models, updated_ms = excluded.updated_ms`,
        [id, JSON.stringify(models), now],
      )
      options.changed()
      return
    }
    failedAt.set(id, clock.monotonic())
    logger.log('debug', 'catalog.models_untold', { provider: id })
  }

  async function askAll(force: boolean): Promise<void> {
    const byProvider = new Map<string, Account[]>()
    for (const account of accounts.list()) {
      const id = provider(account.provider)?.id
      if (id === undefined || !account.enabled) continue
      byProvider.set(id, [...byProvider.get(id) ?? [], account])
    }
    const due = [...byProvider].filter(([id]) => {
      if (force) return true
      const failed = failedAt.get(id)
      if (failed !== undefined && clock.monotonic() - failed < sulkMs) return false
      return clock.now() - (heard.get(id) ?? -Infinity) >= freshMs
    })
    const worker = async (): Promise<void> => {
      for (let next = due.shift(); next; next = due.shift()) await askOne(...next)
    }
    await Promise.all(Array.from({ length: atOnce }, worker))
  }

  return {
    get found() {
      return found
    },
    heardAt: (id) => heard.get(id) ?? null,
    ask({ force = false } = {}) {
      if (upstream === null) return Promise.resolve()
      return asking ??= askAll(force).finally(() => {
        asking = null
      })
    },
    try: (account) =>
      upstream === null
        ? Promise.resolve({ because: 'nothing is asked over the network here' })
        : listOf(account, provider(account.provider), { accounts, upstream }),
  }
}

/** What one account is told when it asks for the models. */
async function listOf(
  account: Account,
  provider: Provider | null,
  { accounts, upstream }: { readonly accounts: DiscoveryOptions['accounts']; readonly upstream: Upstream },
): Promise<Told> {
  const deployment = provider?.deployments.find(({ envelope }) => envelope === undefined)
  if (!provider || !deployment) return { because: 'its provider has no list of models' }
  const target: Target = {
    key: formatTarget(provider.id, account.id),
    provider: provider.id,
    account: account.id,
    capability: deployment.capabilities[0] ?? 'chat',
    deployment,
    model: '',
  }
  const sending = upstream.send({
    target,
    credential: await accounts.credentialFor(account),
    surface: 'models',
    method: 'GET',
    search: listQueries[deployment.protocol] ?? '',
    headers: [],
    body: null,
  })
  const late = Promise.withResolvers<Told>()
  const timer = setTimeout(() => {
    sending.cancel()
    late.resolve({ because: `nothing came within ${askMs / 1_000} s` })
  }, askMs)
  try {
    const told = async (): Promise<Told> => {
      const reply = await sending.reply
      if (!reply.ok) return { because: reply.failure.message }
      const bytes = await readAll(reply.body, maxBytes)
      return bytes ? { models: idsOf(parse(new TextDecoder().decode(bytes))) } : { because: 'its list is too long' }
    }
    return await Promise.race([told(), late.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** How protocols that give their lists in pages are asked for all of it. */
const listQueries: Readonly<Partial<Record<ProtocolId, string>>> = {
  'anthropic-messages': '?limit=1000',
  'gemini': '?pageSize=1000',
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** The ids in a list of models of any vendor's shape, bounded. */
function idsOf(value: unknown): string[] {
  const list = Array.isArray(value) ? value : isObject(value) ? value.data ?? value.models : null
  if (!Array.isArray(list)) return []
  const ids = new Set<string>()
  for (const entry of list.slice(0, maxModels)) {
    const id = isObject(entry) ? entry.id ?? entry.name : entry
    if (typeof id !== 'string') continue
    const plain = id.replace(/^models\//, '')
    if (plain !== '' && plain.length <= maxIdLength && !/\p{Cc}|\s/u.test(plain)) ids.add(plain)
  }
  return [...ids]
}
