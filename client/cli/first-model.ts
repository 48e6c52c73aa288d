import type { Gateway } from '../../lib/create-gateway.ts'

/** How long providers may take to list their models before a start goes on without. */
const waitMs = 2_000

/**
 * A chat model that an account of this gateway serves, for an example that works: the configured default, else the
 * cheapest whose price is known of those that a provider listed. Providers that were not heard yet are asked now.
 *
 * @returns `provider/model`; `null` when there is no such account, or none of their providers told in time
 */
export async function firstModel({ rooms }: Gateway): Promise<string | null> {
  const { matchesAny } = await import('../../lib/catalog/mod.ts')
  const accounts = rooms.accounts.list().filter((account) =>
    account.enabled && (!account.plan || account.allowUndocumentedUse)
  )
  if (accounts.length === 0) return null
  if (rooms.catalog().defaultModel !== null) return rooms.catalog().defaultModel
  const listed = () => accounts.some(({ provider }) => rooms.catalog().listed(provider).length > 0)
  const over = new AbortController()
  if (!listed()) {
    await Promise.race([rooms.discovery.ask(), rooms.clock.sleep(waitMs, over.signal).catch(() => {})])
    over.abort()
  }
  await rooms.loadFacts()
  const catalog = rooms.catalog()
  const now = rooms.clock.now()
  for (const { provider, models } of accounts) {
    const offered = catalog.listed(provider).map((id) => catalog.model(provider, id, now)).filter((model) =>
      model.capabilities.includes('chat') &&
      (models.length === 0 || matchesAny(models, model.id) || matchesAny(models, `${provider}/${model.id}`))
    )
    const cost = (model: (typeof offered)[number]) => model.price?.outputMicros || Infinity
    const best = offered.sort((a, b) => cost(a) < cost(b) ? -1 : cost(a) > cost(b) ? 1 : 0)[0]
    if (best) return `${provider}/${best.id}`
  }
  return null
}
