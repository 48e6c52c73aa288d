import { GwError, type PrincipalId, type TokenId } from '../base/mod.ts'
import { matchesAny } from '../catalog/mod.ts'
import { expandScopes, type Scope } from './scope.ts'
import type { ToolRules } from './tool-rules.ts'

/** Who acts. */
export interface Principal {
  readonly id: PrincipalId
  /** `operator` is the owner at this machine's own command line; `anonymous` only where D2's switch allows it. */
  readonly kind: 'operator' | 'client' | 'anonymous'
  /** The token it came with; `null` for the operator, and for tokens that stand in the config. */
  readonly token: TokenId | null
  readonly label: string
  readonly scopes: ReadonlySet<Scope>
  /** Model patterns it may call; `null` is all. */
  readonly models: readonly string[] | null
  /** Providers it may reach; `null` is all. */
  readonly providers: readonly string[] | null
  /** Model names that mean others for this token. */
  readonly aliases: Readonly<Record<string, string>>
  /** Pins its requests to one account. */
  readonly account: string | null
  /** Its rules for foreign tools, its makers' among them; all of them hold. None is no rule. */
  readonly tools: readonly ToolRules[]
  /** Epoch ms; `null` never. */
  readonly expiresAt: number | null
  /** Itself and its ancestors, as far as they have a budget or a rate; none costs nothing to admit. */
  readonly limitedBy?: readonly string[]
}

/** The owner at this machine's own command line: everything, for ever. */
export const operator: Principal = {
  id: 'operator' as PrincipalId,
  kind: 'operator',
  token: null,
  label: 'operator',
  scopes: expandScopes(['admin']),
  models: null,
  providers: null,
  aliases: {},
  account: null,
  tools: [],
  expiresAt: null,
}

/**
 * Nothing when the principal holds the scope.
 *
 * @throws GwError `access.scope`, in the words clients of older gateways match on
 */
export function requireScope(principal: Principal, scope: Scope): void {
  if (principal.scopes.has(scope)) return
  throw new GwError('access.scope', `Authenticated token is missing required scope '${scope}'.`, {
    hint: `ask for a token with the scope ${scope}`,
    details: { required: [scope] },
  })
}

/**
 * Whether the principal may call a model.
 *
 * @param names every name the model goes by here: as asked, resolved, and as `provider/model`; one match is enough
 */
export function allowsModel(principal: Principal, names: readonly string[]): boolean {
  const { models } = principal
  return models === null || names.some((name) => matchesAny(models, name))
}

/** Whether the principal may reach a provider. */
export function allowsProvider(principal: Principal, provider: string): boolean {
  return principal.providers === null || matchesAny(principal.providers, provider)
}
