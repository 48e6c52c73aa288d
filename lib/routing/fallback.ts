import type { Capability, ResolvedModel } from '../catalog/mod.ts'
import type { RoutingSettings } from './config.ts'

/**
 * Model references that may serve what the resolved one could not, in order: the most specific key of the configured
 * order, then the provider's own stand-ins for when it has no account at all.
 *
 * @see requirement OL-4.2
 */
export function fallbackReferences(
  resolved: ResolvedModel,
  capability: Capability,
  settings: RoutingSettings,
  active: ReadonlySet<string>,
): string[] {
  const { provider, model } = resolved
  const { fallback } = settings
  if (!fallback.enabled) return []
  const keys = [`${capability}:${provider.id}/${model}`, `${capability}:${provider.id}`, `${provider.id}/${model}`]
    .concat(provider.id, model)
  const key = keys.find((name) => Object.hasOwn(fallback.order, name))
  const configured = key === undefined ? [] : fallback.order[key]!
  const standIns = active.has(provider.id) ? [] : (provider.standIns ?? []).filter((other) => active.has(other))
  return [...configured, ...standIns].map((entry) => entry.includes('/') ? entry : `${entry}/${model}`)
    .filter((reference, i, all) => reference !== `${provider.id}/${model}` && all.indexOf(reference) === i)
}
