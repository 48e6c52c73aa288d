import { matchesAny } from '../catalog/mod.ts'
import type { Candidate } from './candidates.ts'
import { type Controls, mayRuleOut } from './controls.ts'
import { entitlementOf, entitlementRemedy } from './entitlement.ts'
import { LazyDrop } from './fit.ts'
import { overPrice } from './max-price.ts'
import { unsupportedParameters } from './parameters.ts'
import type { Dropped, DropReason } from './plan.ts'
import type { PlanRequest } from './snapshot.ts'

/** Whether the request asks anything that {@link policyDrop} would have to look at for every candidate. */
export function asksPolicy({ controls, models, providers, account }: PlanRequest): boolean {
  return (controls !== null && mayRuleOut(controls)) || models !== null || providers !== null || account !== null
}

/** Whether a candidate has rules of its own, whatever the request asks. */
export const hasRules = ({ mustBeFree, account }: Candidate): boolean => mustBeFree || account.plan

/** The lasting reason why a candidate may not serve this request, or `null`. */
export function policyDrop(candidate: Candidate, request: PlanRequest): Dropped | null {
  const { target, provider, account, model } = candidate
  if (request.models !== null && !matchesAny(request.models, model.id)) {
    if (!matchesAny(request.models, `${provider.id}/${model.id}`)) {
      return new LazyDrop(
        target,
        'model_not_allowed',
        null,
        () => `the caller's token does not allow ${provider.id}/${model.id}`,
      )
    }
  }
  if (request.providers !== null && !matchesAny(request.providers, provider.id)) {
    return new LazyDrop(
      target,
      'provider_not_allowed',
      null,
      () => `the caller's token does not allow provider ${provider.id}`,
    )
  }
  if (request.account !== null && request.account !== account.id) {
    return new LazyDrop(target, 'provider_not_allowed', null, () => `the caller is bound to account ${request.account}`)
  }
  if (request.controls !== null) {
    const drop = controlDrop(candidate, request, request.controls)
    if (drop !== null) return new LazyDrop(target, drop[0], null, () => drop[1])
  }
  if (candidate.mustBeFree && !isFree(candidate)) {
    return new LazyDrop(target, 'not_free', null, () => ':free was asked for and this target is not free')
  }
  if (account.plan && !account.allowUndocumentedUse) {
    const use = entitlementOf(account, provider, request.headers, candidate.native)
    if (use === 'undocumented') {
      return new LazyDrop(target, 'undocumented_use', null, () => entitlementRemedy(account, provider))
    }
  }
  return null
}

const isFree = ({ account, model }: Candidate): boolean =>
  account.plan || model.id.endsWith(':free') ||
  (model.price !== null && model.price.inputMicros === 0 && model.price.outputMicros === 0)

function controlDrop(
  candidate: Candidate,
  request: PlanRequest,
  controls: Controls,
): readonly [DropReason, string] | null {
  const { provider, account, model, target } = candidate
  if (controls.only !== null && !isNamed(controls.only, candidate)) {
    return ['filtered_only', `provider.only allows ${controls.only.join(', ')}`]
  }
  if (controls.ignore.length > 0 && isNamed(controls.ignore, candidate)) {
    return ['filtered_ignore', `provider.ignore names ${provider.id}`]
  }
  if (controls.order !== null && !controls.allowFallbacks && !isNamed(controls.order, candidate)) {
    return ['filtered_order', `provider.order names ${controls.order.join(', ')} and fallbacks are not allowed`]
  }
  if (controls.denyDataCollection && provider.trains !== false && !account.tags.includes('no-training')) {
    return [
      'data_policy',
      provider.trains === true ? `${provider.name} trains on requests` : `what ${provider.name} keeps is not known`,
    ]
  }
  if (controls.zdr && provider.zeroRetention !== true && !account.tags.includes('zdr')) {
    return [
      'zdr',
      `${provider.name} is not known for zero data retention; tag the account "zdr" if you have it`,
    ]
  }
  if (controls.distillableText && !account.tags.includes('distillable')) {
    return ['distillable', `nothing says that ${model.id} may be distilled; tag the account "distillable" if it may`]
  }
  if (controls.quantizations !== null && !controls.quantizations.includes(provider.quantization ?? 'unknown')) {
    return ['quantization', `its weights are ${provider.quantization ?? 'of unknown format'}`]
  }
  if (controls.maxPrice !== null) {
    const reason = overPrice(candidate, controls.maxPrice)
    if (reason !== null) return ['price', reason]
  }
  if (controls.requireParameters) {
    const missing = unsupportedParameters(request.parameters, request.protocol, target.deployment.protocol)
    if (missing.length > 0) return ['parameters', `${target.deployment.protocol} has no ${missing.join(', ')}`]
  }
  return null
}

/** Whether a list of names in the caller's controls holds this candidate. */
function isNamed(list: readonly string[], { names }: Candidate): boolean {
  for (const name of list) if (names.includes(name)) return true
  return false
}
