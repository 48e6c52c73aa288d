import type { ProviderStore } from './accounts/mod.ts'
import { type Catalog, createCatalog, loadModelFacts, type ModelFacts, type Provider } from './catalog/mod.ts'
import type { LiveConfig } from './config/mod.ts'
import { spareProviders } from './inventory.ts'

/** The catalogue of a home that is open: made when it is asked for, and again after anything that it is made of changed. */
export interface LiveCatalog {
  now(): Catalog
  /** Something that it is made of is another. */
  changed(): void
  /** Models that providers have named themselves count from now on, as they stand at each making. */
  listModels(found: () => ReadonlyMap<string, readonly string[]>): void
  /** Brings in the shipped facts of models; once. */
  loadFacts(): Promise<void>
}

/** What a {@link LiveCatalog} is made of. */
export interface LiveCatalogParts {
  readonly config: LiveConfig
  readonly providerStore: Pick<ProviderStore, 'list'>
  /** Providers beside those that ship. */
  readonly providers: readonly Provider[]
  /** Models by provider, known without asking. */
  readonly models: ReadonlyMap<string, readonly string[]>
}

/** Makes a {@link LiveCatalog}. */
export function liveCatalog({ config, providerStore, providers, models }: LiveCatalogParts): LiveCatalog {
  let facts: ModelFacts | null = null
  let made: Catalog | null = null
  let stored = providerStore.list()
  let found: () => ReadonlyMap<string, readonly string[]> = () => new Map()

  function make(): Catalog {
    const current = config.current().config
    return createCatalog({
      settings: current.catalog,
      overlays: current.providers,
      stored,
      extra: providers,
      spare: spareProviders(current),
      discovered: new Map([...found(), ...models]),
      facts,
    })
  }

  return {
    now() {
      const list = providerStore.list()
      if (made !== null && list === stored) return made
      stored = list
      return made = make()
    },
    changed: () => void (made = null),
    listModels(given) {
      found = given
      made = null
    },
    async loadFacts() {
      if (facts) return
      facts = await loadModelFacts()
      made = null
    },
  }
}
