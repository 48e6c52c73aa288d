import type { Account, Target } from '../accounts/mod.ts'
import {
  type Capability,
  type Catalog,
  type Deployment,
  matchesAny,
  type Model,
  type Provider,
} from '../catalog/mod.ts'
import { keysOf, type TargetKeys } from '../liveness/mod.ts'
import type { ProtocolId } from '../protocol/mod.ts'

/** A target with everything the planner wants to know about it, prepared once per model reference. */
export interface Candidate {
  readonly target: Target
  readonly account: Account
  readonly provider: Provider
  readonly model: Model
  readonly keys: TargetKeys
  /** 0 for the model asked for, 1 and up for its fallbacks in order. */
  readonly tier: number
  /** Whether it is here by the configured fallback alone, and not because the caller or a pool named it. */
  readonly fallback: boolean
  /** Its place in the declared order, which is its index in its pool. */
  readonly place: number
  /** Whether the caller's protocol is spoken there, so that bytes pass through. */
  readonly native: boolean
  /** What a caller may call it, in lower case: its provider and that one's aliases, its account, its key. */
  readonly names: readonly string[]
  /** Free text of the caller's reference, when it asked for targets that cost nothing. */
  readonly mustBeFree: boolean
}

/** A way to serve a model: the provider's id of it, maybe on one account only. */
export interface ModelChoice {
  readonly provider: Provider
  /** Account by id, by label, or by the part after `provider-`; `null` is any. */
  readonly account: string | null
  readonly model: string
  readonly free: boolean
  readonly tier: number
  readonly fallback?: boolean
}

/** A candidate that was out before anything was looked up. */
export interface Unfit {
  readonly target: Target
  readonly because: 'disabled' | 'model_not_offered'
  readonly detail: string
}

/** Whether a reference's account part names this account. */
function namesAccount(account: Account, name: string): boolean {
  const wanted = name.toLowerCase()
  const id = account.id.toLowerCase()
  return id === wanted || id === `${account.provider.toLowerCase()}-${wanted}` || account.label.toLowerCase() === wanted
}

/** The deployment that serves a model of a capability: the caller's own protocol if it is spoken, else the first. */
function deploymentFor(
  provider: Provider,
  capability: Capability,
  model: string,
  protocol: ProtocolId | null,
): Deployment | null {
  let first: Deployment | null = null
  for (const deployment of provider.deployments) {
    if (!deployment.capabilities.includes(capability)) continue
    if (deployment.models && !matchesAny(deployment.models, model)) continue
    if (deployment.protocol === protocol) return deployment
    first ??= deployment
  }
  return first
}

/** What {@link candidatesFor} reads. */
export interface CandidateSource {
  readonly catalog: Catalog
  readonly accounts: readonly Account[]
  readonly capability: Capability
  readonly protocol: ProtocolId | null
  readonly now: number
}

/** Every account that could serve one of the choices, and those that could not for a lasting reason. */
export function candidatesFor(
  choices: readonly ModelChoice[],
  source: CandidateSource,
): { candidates: Candidate[]; unfit: Unfit[] } {
  const candidates: Candidate[] = []
  const unfit: Unfit[] = []
  const seen = new Set<string>()
  for (const choice of choices) {
    const model = source.catalog.model(choice.provider.id, choice.model, source.now)
    const deployment = claimed(choice.provider, source, choice.model)
    for (const account of source.accounts) {
      if (source.catalog.provider(account.provider)?.id !== choice.provider.id) continue
      if (choice.account !== null && !namesAccount(account, choice.account)) continue
      if (deployment === null) continue
      const target: Target = {
        ...{ provider: choice.provider.id, account: account.id, capability: source.capability, model: choice.model },
        key: '' as Target['key'],
        deployment,
      }
      const keys = keysOf(target)
      const complete: Target = { ...target, key: keys.capability }
      const identity = `${keys.model}`
      if (seen.has(identity)) continue
      seen.add(identity)
      if (!account.enabled) {
        unfit.push({ target: complete, because: 'disabled', detail: `account ${account.id} is switched off` })
      } else if (!allowsModel(account, choice.provider, choice.model)) {
        unfit.push({
          target: complete,
          because: 'model_not_offered',
          detail: `account ${account.id} is limited to ${account.models.slice(0, 5).join(', ')}`,
        })
      } else {
        candidates.push({
          target: complete,
          account,
          provider: choice.provider,
          model,
          keys,
          tier: choice.tier,
          fallback: choice.fallback === true,
          place: candidates.length,
          native: deployment.protocol === source.protocol,
          names: namesOf(complete, choice.provider),
          mustBeFree: choice.free,
        })
      }
    }
  }
  return { candidates, unfit }
}

function namesOf({ account, key }: Target, { id, aliases }: Provider): string[] {
  return [id, ...aliases, account, `${id}:${account}`, key].map((name) => name.toLowerCase())
}

function claimed(provider: Provider, source: CandidateSource, model: string): Deployment | null {
  const byName = provider.deployments.filter((deployment) =>
    deployment.models !== undefined && deployment.capabilities.includes(source.capability) &&
    matchesAny(deployment.models, model)
  )
  if (byName.length > 0) {
    return byName.find((deployment) => deployment.protocol === source.protocol) ?? byName[0]!
  }
  return deploymentFor(provider, source.capability, model, source.protocol)
}

function allowsModel(account: Account, provider: Provider, model: string): boolean {
  return account.models.length === 0 || matchesAny(account.models, model) ||
    matchesAny(account.models, `${provider.id}/${model}`)
}
