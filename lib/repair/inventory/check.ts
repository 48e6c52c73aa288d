import type { z } from 'zod'
import { builtinKinds } from '../definition/builtin.ts'
import { checkDefinition, type Problem } from '../definition/rules.ts'
import type { InventoryConfig } from './schema.ts'

/** A name that can stand in a route: no separator, no white space. */
const nameShape = /^[^\s:#]+$/
const accountShape = /^[^\s#]+$/

/** A profile entry as written, or `null` when it is no `provider:account[#capability]`. */
export function parseEntry(entry: string): { provider: string; account: string; capability: string | null } | null {
  const match = /^([^:#\s]+):([^#\s]+)(?:#(\S+))?$/.exec(entry)
  return match ? { provider: match[1]!, account: match[2]!, capability: match[3] ?? null } : null
}

/** What is wrong with an inventory across its parts: names that are empty or name nothing, and broken definitions. */
export function checkInventory(config: InventoryConfig): Problem[] {
  const problems: Problem[] = []
  const report = (path: readonly (string | number)[], message: string) => void problems.push({ path, message })
  const { defaults, providers, profiles, strategies, provider_definitions: definitions } = config
  const knows = (table: Readonly<Record<string, unknown>>, name: string) => Object.hasOwn(table, name)

  if (defaults.provider !== undefined && !knows(providers, defaults.provider)) {
    report(['defaults', 'provider'], `names no configured provider: ${defaults.provider}`)
  }
  if (defaults.strategy !== undefined && !knows(strategies, defaults.strategy)) {
    report(['defaults', 'strategy'], `names no configured strategy: ${defaults.strategy}`)
  }
  if (defaults.profile !== undefined && !knows(profiles, defaults.profile)) {
    report(['defaults', 'profile'], `names no configured profile: ${defaults.profile}`)
  }

  for (const [name, definition] of Object.entries(definitions)) {
    if (name === '') report(['provider_definitions', name], 'has an empty name')
    for (const { path, message } of checkDefinition(definition)) {
      report(['provider_definitions', name, ...path], message)
    }
  }

  for (const [name, provider] of Object.entries(providers)) {
    const at = ['providers', name]
    if (!nameShape.test(name)) report(at, name === '' ? 'has an empty name' : 'may not hold white space, : or #')
    if (provider.kind === '') report([...at, 'kind'], 'must not be empty')
    else if (!builtinKinds.includes(provider.kind) && !knows(definitions, provider.kind) && !knows(definitions, name)) {
      report([...at, 'kind'], `is neither built in nor defined: ${provider.kind}`)
    }
    for (const account of Object.keys(provider.accounts)) {
      if (!accountShape.test(account)) {
        report([...at, 'accounts', account], account === '' ? 'has an empty name' : 'may not hold white space or #')
      }
    }
  }

  for (const [name, profile] of Object.entries(profiles)) {
    const at = ['profiles', name]
    if (name === '') report(at, 'has an empty name')
    if (profile.strategy !== undefined && !knows(strategies, profile.strategy)) {
      report([...at, 'strategy'], `names no configured strategy: ${profile.strategy}`)
    }
    profile.providers.forEach((text, i) => {
      const entry = parseEntry(text)
      if (!entry) return report([...at, 'providers', i], 'must be provider:account or provider:account#capability')
      if (!knows(providers, entry.provider)) {
        return report([...at, 'providers', i], `names no configured provider: ${entry.provider}`)
      }
      if (!knows(providers[entry.provider]!.accounts, entry.account)) {
        report([...at, 'providers', i], `names no account of ${entry.provider}: ${entry.account}`)
      }
    })
  }
  return problems
}

/** Adds the problems of {@link checkInventory} to a parse. */
export function refine(config: InventoryConfig, context: z.RefinementCtx): void {
  for (const { path, message } of checkInventory(config)) {
    context.addIssue({ code: 'custom', path: [...path], message })
  }
}
