import type { CapabilityDefinition, ProviderDefinition } from './schema.ts'

/** The capability that a name or one of its aliases means; `undefined` when the provider has none of that name. */
export function findCapability(definition: ProviderDefinition, name: string): CapabilityDefinition | undefined {
  return definition.capabilities.find((capability) => capability.name === name) ??
    definition.capabilities.find((capability) => capability.aliases.includes(name))
}
