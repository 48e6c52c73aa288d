import type { AccountId, Branded } from '../base/mod.ts'
import type { Capability, Deployment } from '../catalog/mod.ts'

/** `provider:account` or `provider:account#capability`: names a route in every store, log and command. */
export type TargetKey = Branded<'TargetKey'>

/** One way to serve a request. */
export interface Target {
  readonly key: TargetKey
  readonly provider: string
  readonly account: AccountId
  readonly capability: Capability
  readonly deployment: Deployment
  /** The provider's own model id. */
  readonly model: string
}

/** The key of an account, or of one capability or model of it. */
export function formatTarget(provider: string, account: string, capability?: string): TargetKey {
  return `${provider}:${account}${capability === undefined ? '' : `#${capability}`}` as TargetKey
}

/** The parts of a key, or `null` when the text is no key. */
export function parseTarget(text: string): { provider: string; account: string; capability: string | null } | null {
  const match = /^([^:#\s]+):([^#\s]+)(?:#(\S+))?$/.exec(text)
  return match ? { provider: match[1]!, account: match[2]!, capability: match[3] ?? null } : null
}
