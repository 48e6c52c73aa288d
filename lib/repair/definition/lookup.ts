import { builtinDefinitions, genericDefinition } from './builtin.ts'
import type { ProviderDefinition } from './schema.ts'

/** Where a definition came from. */
export interface FoundDefinition {
  readonly definition: ProviderDefinition
  readonly from: 'own_name' | 'own_kind' | 'builtin_kind' | 'builtin_name' | 'generic'
}

/** Finds the definition of a provider by name and kind. */
export type DefinitionLookup = (provider: string, kind: string) => FoundDefinition

/**
 * A lookup over the configured definitions and the built-in ones.
 *
 * Order: own by provider name, own by kind, built-in by kind, built-in by name, generic.
 */
export function definitionLookup(own: Readonly<Record<string, ProviderDefinition>>): DefinitionLookup {
  const builtin = builtinDefinitions()
  const has = (name: string) => Object.hasOwn(own, name)
  return (provider, kind) => {
    if (has(provider)) return { definition: own[provider]!, from: 'own_name' }
    if (has(kind)) return { definition: own[kind]!, from: 'own_kind' }
    const byKind = builtin.get(kind)
    if (byKind) return { definition: byKind, from: 'builtin_kind' }
    const byName = builtin.get(provider)
    if (byName) return { definition: byName, from: 'builtin_name' }
    return { definition: genericDefinition(kind), from: 'generic' }
  }
}
