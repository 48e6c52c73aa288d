import { allowsProvider, type Principal } from './access/mod.ts'
import { type Account, formatTarget, type TargetKey } from './accounts/mod.ts'
import { GwError } from './base/mod.ts'
import type { Capability, Provider } from './catalog/mod.ts'
import { type Directory, rawModel } from './gateway/mod.ts'
import { judge } from './liveness/mod.ts'
import type { Home } from './open-home.ts'
import { entitlementOf, entitlementRemedy, isNativeClient, nothingToTry } from './routing/mod.ts'

/** What a home offers to a caller by name: models, providers, and the accounts that a raw call may use. */
export function directoryOf(home: Home): Directory {
  const active = () => new Set(home.accounts.list().filter(({ enabled }) => enabled).map(({ provider }) => provider))
  return {
    models(principal) {
      const catalog = home.catalog()
      const now = home.clock.now()
      const ids = active()
      return catalog.providers
        .filter(({ id }) => ids.has(id) && allowsProvider(principal, id))
        .flatMap(({ id }) =>
          catalog.modelIds(id).map((name) => {
            const { contextTokens, maxOutputTokens } = catalog.model(id, name, now)
            return { id: `${id}/${name}`, provider: id, name, contextTokens, maxOutputTokens }
          })
        )
    },
    providers(principal) {
      const ids = active()
      return home.catalog().providers.filter(({ id }) => ids.has(id) && allowsProvider(principal, id))
    },
    provider: (id) => home.catalog().provider(id),
    passthrough: (headers, protocol) =>
      home.catalog().providers.filter((provider) =>
        isNativeClient(provider, headers) && provider.deployments.some((deployment) => deployment.protocol === protocol)
      ),
    targets(provider, principal, headers) {
      const accounts = home.accounts.list().filter((one) =>
        one.enabled && home.catalog().provider(one.provider)?.id === provider.id &&
        (principal.account === null || principal.account === one.id)
      )
      const deployment = provider.deployments[0]
      const [first] = accounts
      if (!first || !deployment) {
        throw new GwError('route.no_account', `there is no account for provider ${provider.id}`, {
          hint: `gw accounts add ${provider.id} --from env:NAME`,
        })
      }
      // What passes raw has the vendor's terms like everything else.
      const permitted = accounts.filter((one) =>
        one.allowUndocumentedUse || entitlementOf(one, provider, headers, true) !== 'undocumented'
      )
      if (permitted.length === 0) throw new GwError('route.none', entitlementRemedy(first, provider))
      const capability = deployment.capabilities[0] ?? 'chat'
      return inOrder(permitted, { provider, principal, headers, capability }).map(({ id }) => ({
        ...{
          key: formatTarget(provider.id, id),
          provider: provider.id,
          account: id,
          capability,
          deployment,
          model: '',
        },
      }))
    },
  }

  /** Accounts as any other request would be given them: who rests or is dead is left out, the rest by the strategy. */
  function inOrder(permitted: readonly Account[], call: RawCall): readonly Account[] {
    const { provider, principal, headers, capability } = call
    const model = `${provider.id}/${rawModel}`
    const plan = home.router.plan({
      capability,
      protocol: provider.deployments[0]!.protocol,
      model,
      headers,
      body: null,
      // Which model a raw call is about, nobody looks.
      principal: { ...principal, models: null },
    })
    const ids = plan.targets.map(({ target }) => target.account)
    const limited = plan.dropped.filter(({ because }) => because === 'model_not_offered')
      .map(({ target }) => target.account)
      .filter((id) => !rests(formatTarget(provider.id, id)) && !rests(formatTarget(provider.id, id, capability)))
    const found = [...ids, ...limited].flatMap((id) => permitted.find((one) => one.id === id) ?? [])
    if (found.length > 0) return found
    throw nothingToTry(plan, model, provider.id, home.clock.now())
  }

  function rests(key: TargetKey): boolean {
    const standing = home.board.get(key)
    return standing !== null && judge(standing, home.clock.now()).is === 'blocked'
  }
}

interface RawCall {
  readonly provider: Provider
  readonly principal: Principal
  readonly headers: Headers
  readonly capability: Capability
}
