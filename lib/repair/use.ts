import { basename } from 'node:path'
import { GwError, isGwError } from '../base/mod.ts'
import { admit, type Consent } from './admission.ts'
import { routeProbeBudget } from './action.ts'
import { countUse, planNow, type RepairContext } from './context.ts'
import type { PlannedRoute, Selected } from './explain.ts'
import { inject, type Injection, needsFile, needsToken } from './inject.ts'
import type { Inventory } from './inventory/inventory.ts'
import { routeKey } from './inventory/inventory.ts'
import type { Scope } from './inventory/scope.ts'
import { inTheWay } from './next.ts'
import { probeRoute, usableToken } from './probe.ts'

/** What a program wants to be run with. */
export interface UseRequest extends Scope {
  /** The program, when one is known: its name may tell the provider. */
  readonly command?: readonly string[] | undefined
  /** Overrides the strategy's number of further tries. */
  readonly strategy?: string | undefined
  readonly consent: Consent
  /** The runtime directory of this home, for files that a program needs. */
  readonly folder: string
  /** Whether a file in a directory of its own may be made: `false` where nobody could remove it. */
  readonly mayWriteFile: boolean
  /** Keys of routes that were tried already. */
  readonly exclude?: ReadonlySet<string>
}

/** A route in use. */
export interface Used {
  readonly selected: Selected
  readonly profile: string | null
  readonly injection: Injection
  /** Why the routes before it were passed over. */
  readonly skipped: readonly { readonly key: string; readonly reason: string }[]
}

/** Routes tried when no strategy says otherwise. */
const defaultTries = 3

/**
 * Selects a route by the same rules that `route explain` shows and lays its credential out.
 *
 * The one difference, declared here: a route never looked at may be used, since using it is how it becomes known. It is
 * probed first where its probe is admitted. A quota whose window has passed needs that probe. What needs a probe that
 * is not admitted is passed over with that reason.
 *
 * @throws GwError `route.none` (exit 201) naming why each route was passed over; `scope.invalid`
 */
export async function useRoute(context: RepairContext, request: UseRequest): Promise<Used> {
  const inventory = context.inventory()
  const scope = scopeOf(inventory, request)
  const plan = await planNow(context, scope)
  const profile = plan.scope.profile ?? null
  const skipped: { key: string; reason: string }[] = []
  const troubled = new Set<string>()
  let tries = triesOf(inventory, request.strategy, profile)
  for (const route of plan.routes) {
    const { report } = route
    const key = routeKey(report.provider, report.account, report.capability)
    const skip = (reason: string) => void skipped.push({ key, reason })
    if (request.exclude?.has(key)) {
      skip('tried_before')
      continue
    }
    if (troubled.has(report.provider)) {
      skip('provider_degraded')
      continue
    }
    const verdict = judge(route, request.consent)
    if (verdict.is === 'skip') {
      skip(verdict.reason)
      if (report.skip_reason === 'provider_degraded') troubled.add(report.provider)
      continue
    }
    if (tries-- <= 0) {
      skip('max_retries')
      continue
    }
    const used = await attempt(context, request, { route, probe: verdict.probe, profile })
    if ('injection' in used) {
      await countUse(context, route.route.account, profile === null ? null : { profile, key })
      return { selected: used.selected, profile, injection: used.injection, skipped }
    }
    skip(used.reason)
    if (used.reason === 'provider_degraded') troubled.add(report.provider)
  }
  const shown = skipped.slice(0, 5).map(({ key, reason }) => `${key} (${reason})`).join(', ')
  const step = inTheWay(plan)?.command
  throw new GwError('route.none', `no route can be used${shown ? `: ${shown}` : ''}`, {
    hint: step ? `${step}; gw route explain shows every route` : 'gw route explain',
    details: { skipped },
  })
}

type Judgement = { readonly is: 'try'; readonly probe: boolean } | { readonly is: 'skip'; readonly reason: string }

function judge({ report, route, policy }: PlannedRoute, consent: Consent): Judgement {
  const budget = routeProbeBudget(route)
  const mayProbe = budget !== null &&
    admit({ kind: 'probe', budget, interactive: false, mutating: false }, policy, consent).admitted
  if (report.selectable) return { is: 'try', probe: false }
  switch (report.skip_reason) {
    case 'unrecorded':
      return { is: 'try', probe: mayProbe }
    case 'revalidation_needed':
      return mayProbe ? { is: 'try', probe: true } : { is: 'skip', reason: 'revalidation_needed' }
    default:
      // A dead account whose credential we may refresh is refreshed by trying it.
      return report.action.kind === 'refresh' && report.runtime.state === 'ready' && policy.allow_mutating
        ? { is: 'try', probe: mayProbe }
        : { is: 'skip', reason: report.skip_reason }
  }
}

type Attempt =
  | { readonly selected: Selected; readonly injection: Injection }
  | { readonly reason: string }

async function attempt(
  context: RepairContext,
  request: UseRequest,
  { route, probe, profile }: { readonly route: PlannedRoute; readonly probe: boolean; readonly profile: string | null },
): Promise<Attempt> {
  const { report } = route
  const { account, capability } = route.route
  if (probe) {
    const probed = await probeRoute(context, {
      provider: report.provider,
      account: report.account,
      capability: report.capability ?? undefined,
      consent: request.consent,
    })
    if (!probed.ok) return { reason: probed.liveness?.reason ?? probed.error ?? 'probe_failed' }
  }
  if (needsFile(account) && !request.mayWriteFile) return { reason: 'needs_config_dir' }
  try {
    const token = needsToken(account) && (account.secret !== null || account.relay)
      ? await usableToken(context, account)
      : null
    const injection = await inject({
      account,
      capability,
      profile,
      base: context.env,
      version: context.version,
      token,
      folder: request.folder,
    })
    const { provider, account: name } = report
    return {
      selected: { provider, account: name, capability, health_key: routeKey(provider, name, capability) },
      injection,
    }
  } catch (error) {
    if (!isGwError(error)) throw error
    return { reason: error.code }
  }
}

/** The provider: as asked, as the program's name tells, as the profile says, else the configured default. */
function scopeOf(inventory: Inventory, request: UseRequest): Scope {
  const { profile, provider, account, capability, command } = request
  if (provider !== undefined || account !== undefined) return { profile, provider, account, capability }
  const detected = command?.[0] === undefined ? undefined : detectProvider(inventory, command[0])
  if (profile !== undefined) {
    const inProfile = inventory.profiles.get(profile)?.entries.some((entry) => entry.provider === detected)
    return { profile, capability, ...(inProfile ? { provider: detected } : {}) }
  }
  const found = detected ?? (inventory.defaults.profile === undefined ? inventory.defaults.provider : undefined)
  return { capability, ...(found === undefined ? {} : { provider: found }) }
}

/** The configured provider whose programs have this name. */
function detectProvider(inventory: Inventory, program: string): string | undefined {
  const name = basename(program).replace(/\.(?:exe|cmd)$/i, '')
  return inventory.accounts.find(({ definition }) => definition.detection.binary_names.includes(name))?.provider
}

function triesOf(inventory: Inventory, strategyName: string | undefined, profile: string | null): number {
  if (strategyName !== undefined && !inventory.strategies.has(strategyName)) {
    throw new GwError('scope.invalid', `no strategy ${strategyName}`, { param: 'strategy' })
  }
  const strategy = (strategyName === undefined ? undefined : inventory.strategies.get(strategyName)) ??
    (profile === null ? undefined : inventory.profiles.get(profile)?.strategy) ??
    (inventory.defaults.strategy === undefined ? undefined : inventory.strategies.get(inventory.defaults.strategy))
  return strategy ? strategy.max_retries + 1 : defaultTries
}
