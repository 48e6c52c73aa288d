import type { CatalogSettings, ModelOverlay, ProviderOverlay } from './config.ts'
import { tierAliases } from './tier-aliases.ts'
import { capabilitiesOf, type ModelFact, type ModelFacts } from './models.ts'
import { overlayPrice, overlayProvider } from './overlay.ts'
import { matchesAny } from './pattern.ts'
import type { Model, Provider } from './provider.ts'
import { providers as shippedProviders } from './providers.ts'

/** A provider kept in the store rather than in the config file: LR's provider records. */
export interface StoredProvider {
  readonly name: string
  readonly baseUrl: string
  readonly defaultModel: string | null
  readonly models: readonly string[]
  readonly enabled: boolean
}

/** What a catalogue is made of. */
export interface CatalogOptions {
  readonly settings: CatalogSettings
  /** `[providers.<id>]` of the config. */
  readonly overlays?: Readonly<Record<string, ProviderOverlay>>
  readonly stored?: readonly StoredProvider[]
  /** Providers that other code brings along, such as the built-in demo. Names a shipped one wins over are refused. */
  readonly extra?: readonly Provider[]
  /** Names that accounts may have where nothing else has them: tool servers, which serve no models. */
  readonly spare?: readonly Provider[]
  /** Model ids that providers listed when asked, by provider id. */
  readonly discovered?: ReadonlyMap<string, readonly string[]>
  /** Absent until the shipped data is loaded; prices and context lengths are `null` meanwhile. */
  readonly facts?: ModelFacts | null
}

/** What exists out there: immutable; a changed config makes a new one. */
export interface Catalog {
  readonly providers: readonly Provider[]
  /** Names that mean another reference: the config's own over the chosen sets. */
  readonly aliases: ReadonlyMap<string, string>
  readonly defaultModel: string | null
  readonly facts: ModelFacts | null
  /** By id or alias, regardless of case; `null` when there is none. */
  provider(name: string): Provider | null
  /** Facts about a model at a provider. Unknown models have null facts and still route. */
  model(provider: string, model: string, now: number): Model
  /** Model ids of a provider that were configured, stored or discovered: it surely offers these. */
  listed(provider: string): readonly string[]
  /** {@link listed} and those of the shipped data. */
  modelIds(provider: string): readonly string[]
  /** Whether the provider has a model, as far as anybody knows: listed, or a known name of the shipped data. */
  has(provider: string, model: string, now: number): boolean
  /** Whether the owner says that the listed models are all there are. */
  closed(provider: string): boolean
}

/** Makes a {@link Catalog}: shipped rows, then stored providers, then the config's fields over both. */
export function createCatalog(options: CatalogOptions): Catalog {
  const { settings, overlays = {}, facts = null } = options
  const rows = new Map<string, Provider>(shippedProviders.map((provider) => [provider.id, provider]))
  for (const provider of options.extra ?? []) rows.set(provider.id, provider)
  const listed = new Map<string, string[]>()
  for (const record of options.stored ?? []) {
    if (!record.enabled) continue
    rows.set(record.name, fromStore(record))
    listed.set(record.name, [...record.models, ...(record.defaultModel === null ? [] : [record.defaultModel])])
  }
  const byName = nameIndex(rows)
  const modelOverlays = new Map<string, Readonly<Record<string, ModelOverlay>>>()
  const closed = new Set<string>()
  for (const [name, overlay] of Object.entries(overlays)) {
    const id = byName.get(name.toLowerCase())?.id ?? name
    rows.set(id, overlayProvider(id, overlay, rows.get(id) ?? null))
    if (overlay.models) {
      modelOverlays.set(id, overlay.models)
      listed.set(id, [...(listed.get(id) ?? []), ...Object.keys(overlay.models)])
    }
    if (overlay.only_models) closed.add(id)
  }
  for (const [id, models] of options.discovered ?? []) listed.set(id, [...(listed.get(id) ?? []), ...models])
  for (const provider of options.spare ?? []) {
    if (!nameIndex(rows).has(provider.id.toLowerCase())) rows.set(provider.id, provider)
  }
  const names = nameIndex(rows)
  const listedSets = new Map([...listed].map(([id, models]) => [id, new Set(models)]))
  const aliases = new Map<string, string>()
  if (settings.alias_sets.includes('claude-tiers')) {
    for (const [name, target] of Object.entries(tierAliases)) aliases.set(name, target)
  }
  for (const [name, target] of Object.entries(settings.aliases)) aliases.set(name, target)

  const factOf = (provider: string, model: string, now: number): ModelFact | null => {
    const row = rows.get(provider)
    return facts === null || !row || row.local ? null : facts.find(row.pricedAs ?? row.id, model, now)
  }
  const catalog: Catalog = {
    providers: [...rows.values()].sort((a, b) => a.id < b.id ? -1 : 1),
    aliases,
    defaultModel: settings.default_model,
    facts,
    provider: (name) => names.get(name.toLowerCase()) ?? null,
    model(provider, model, now) {
      const overlay = modelOverlays.get(provider)?.[model]
      const fact = factOf(provider, model, now)
      return {
        id: model,
        provider,
        capabilities: overlay?.capabilities ?? capabilitiesOf(model),
        contextTokens: overlay?.context_tokens ?? fact?.contextTokens ?? null,
        maxOutputTokens: overlay?.max_output_tokens ?? null,
        price: overlayPrice(overlay) ?? fact?.price ?? null,
      }
    },
    listed: (provider) => [...(listedSets.get(provider) ?? [])],
    modelIds(provider) {
      const row = rows.get(provider)
      const known = facts === null || !row || row.local || closed.has(provider)
        ? []
        : facts.list(row.pricedAs ?? row.id)
      return [...new Set([...(listedSets.get(provider) ?? []), ...known])].sort()
    },
    has: (provider, model, now) =>
      listedSets.get(provider)?.has(model) === true ||
      (!closed.has(provider) && factOf(provider, model, now) !== null),
    closed: (provider) => closed.has(provider),
  }
  return catalog
}

/** Whether bare names like this one mean the provider by its own naming. */
export function isHomeOf(provider: Provider, model: string): boolean {
  return provider.homeOf !== undefined && matchesAny(provider.homeOf, model)
}

function nameIndex(rows: ReadonlyMap<string, Provider>): Map<string, Provider> {
  const names = new Map<string, Provider>()
  for (const provider of rows.values()) for (const alias of provider.aliases) names.set(alias.toLowerCase(), provider)
  for (const provider of rows.values()) names.set(provider.id.toLowerCase(), provider)
  return names
}

function fromStore(record: StoredProvider): Provider {
  return {
    id: record.name,
    name: record.name,
    aliases: [],
    env: [],
    auth: { type: 'bearer' },
    deployments: [
      {
        protocol: 'openai-chat',
        capabilities: ['chat', 'embeddings', 'transcription'],
        baseUrl: record.baseUrl.replace(/\/+$/, ''),
      },
      { protocol: 'openai-responses', capabilities: ['chat'], baseUrl: record.baseUrl.replace(/\/+$/, '') },
    ],
    keyOptional: true,
    docs: '',
  }
}
