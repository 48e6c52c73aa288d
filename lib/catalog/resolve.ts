import { GwError } from '../base/mod.ts'
import { type Catalog, isHomeOf } from './catalog.ts'
import { nearestModels } from './nearest.ts'
import type { Provider } from './provider.ts'

/** A model reference, understood. */
export interface ResolvedModel {
  /** As the caller wrote it. */
  readonly requested: string
  readonly provider: Provider
  /** Account that the reference names (`provider:account/model`), or `null`. */
  readonly account: string | null
  /** The provider's own model id. */
  readonly model: string
  /** `:nitro` asks for throughput, `:floor` for price. */
  readonly sort: 'throughput' | 'price' | null
  /** `:free` asks for targets that cost nothing. */
  readonly free: boolean
  /** `[1m]` asks for the long context window. */
  readonly longContext: boolean
  /** The alias that was followed, or `null`. */
  readonly alias: string | null
}

/** What decides a reference besides its text. */
export interface ResolveOptions {
  readonly catalog: Catalog
  /** Providers that have an enabled account: a bare name means one of these before any other. */
  readonly active: ReadonlySet<string>
  /** The caller's own names, looked up before the catalogue's. */
  readonly aliases?: Readonly<Record<string, string>>
  readonly now: number
}

/** A reference without its suffixes, and what they ask for. */
export interface Parsed {
  readonly base: string
  readonly sort: 'throughput' | 'price' | null
  readonly free: boolean
  readonly longContext: boolean
}

const maxReferenceLength = 300

/** Takes the suffixes off: `:nitro`, `:floor`, `:free`, `[1m]`, in any order at the end. */
export function takeSuffixes(reference: string): Parsed {
  let base = reference.trim()
  let sort: Parsed['sort'] = null
  let free = false
  let longContext = false
  for (;;) {
    const match = /^(.+?)(:nitro|:floor|:free|\[1m\])$/i.exec(base)
    if (!match) return { base, sort, free, longContext }
    base = match[1]!
    const suffix = match[2]!.toLowerCase()
    if (suffix === ':nitro') sort = 'throughput'
    else if (suffix === ':floor') sort = 'price'
    else if (suffix === ':free') free = true
    else longContext = true
  }
}

/**
 * What a model reference means: suffixes, then `provider[:account]/model`, then aliases, then the one provider of the
 * catalogue that has a model of this name.
 *
 * @param reference as the caller wrote it; `null` means the configured default
 * @throws GwError `model.missing` when there is neither a name nor a default, `model.not_found` with the nearest ids
 * @see decision D6
 */
export function resolveModel(reference: string | null, options: ResolveOptions): ResolvedModel {
  const { catalog } = options
  const requested = reference?.trim() || catalog.defaultModel
  if (requested === null) {
    throw new GwError('model.missing', 'the request names no model and no default model is configured', {
      param: 'model',
      hint: 'send a model such as anthropic/claude-sonnet-4-5, or set catalog.default_model',
    })
  }
  if (requested.length > maxReferenceLength) {
    throw new GwError('request.invalid', `the model name is longer than ${maxReferenceLength} characters`, {
      param: 'model',
    })
  }
  return follow(requested, takeSuffixes(requested), null, options, 0)
}

function follow(
  requested: string,
  parsed: Parsed,
  alias: string | null,
  options: ResolveOptions,
  depth: number,
): ResolvedModel {
  const { catalog, aliases } = options
  const { base } = parsed
  const done = (provider: Provider, account: string | null, model: string): ResolvedModel => ({
    requested,
    provider,
    account,
    model: variantId(provider, model, parsed),
    sort: parsed.sort,
    free: parsed.free && !keepsVariants(provider),
    longContext: parsed.longContext,
    alias,
  })
  const explicit = splitProvider(base, catalog)
  if (explicit) {
    assertVariant(explicit.provider, explicit.model, options)
    return done(explicit.provider, explicit.account, explicit.model)
  }
  const target = aliases && Object.hasOwn(aliases, base) ? aliases[base] : catalog.aliases.get(base)
  if (target !== undefined) {
    if (depth >= 8) throw new GwError('model.not_found', `alias ${base} leads in a circle`, { param: 'model' })
    const next = takeSuffixes(target)
    return follow(
      requested,
      {
        base: next.base,
        sort: parsed.sort ?? next.sort,
        free: parsed.free || next.free,
        longContext: parsed.longContext || next.longContext,
      },
      alias ?? base,
      options,
      depth + 1,
    )
  }
  const provider = byName(base, options)
  if (provider) return done(provider, null, base)
  throw notFound(base, options)
}

/** `:free` is part of the id at providers that sell variants by that name; elsewhere it is a wish. */
const keepsVariants = (provider: Provider): boolean => provider.quirks?.includes('routing-controls') === true

/**
 * `:online`, `:extended` and `:thinking` are models of their own where variants are sold by such names; elsewhere there
 * is no such model, unless its owner listed one.
 */
function assertVariant(provider: Provider, model: string, { catalog, now }: ResolveOptions): void {
  const suffix = /:(online|extended|thinking)$/i.exec(model)?.[0]
  if (suffix === undefined || keepsVariants(provider) || catalog.has(provider.id, model, now)) return
  const plain = `${provider.id}/${model.slice(0, -suffix.length)}`
  throw new GwError('model.not_found', `${provider.name} has no ${suffix} variants of its models`, {
    param: 'model',
    hint: `ask for ${plain}`,
    details: { nearest: [plain] },
  })
}

const variantId = (provider: Provider, model: string, parsed: Parsed): string =>
  parsed.free && keepsVariants(provider) ? `${model}:free` : model

function splitProvider(
  base: string,
  catalog: Catalog,
): { provider: Provider; account: string | null; model: string } | null {
  const slash = base.indexOf('/')
  if (slash <= 0 || slash === base.length - 1) return null
  const head = base.slice(0, slash)
  const model = base.slice(slash + 1)
  const whole = catalog.provider(head)
  if (whole) return { provider: whole, account: null, model }
  const colon = head.indexOf(':')
  if (colon <= 0) return null
  const provider = catalog.provider(head.slice(0, colon))
  return provider && colon < head.length - 1 ? { provider, account: head.slice(colon + 1), model } : null
}

/** The one provider that a bare name means, or `null` when none or several could be meant. */
function byName(model: string, { catalog, active, now }: ResolveOptions): Provider | null {
  const having = catalog.providers.filter((provider) => active.has(provider.id))
  const listed = having.filter((provider) => catalog.listed(provider.id).includes(model))
  if (listed.length === 1) return listed[0]!
  const known = listed.length > 1 ? listed : having.filter((provider) => catalog.has(provider.id, model, now))
  if (known.length === 1) return known[0]!
  const home = catalog.providers.filter((provider) => isHomeOf(provider, model))
  if (known.length > 1) return home.find((provider) => known.includes(provider)) ?? null
  // A model newer than the shipped data still goes to the provider whose names look like this.
  const reachable = home.filter((provider) =>
    !catalog.closed(provider.id) &&
    (active.has(provider.id) || provider.standIns?.some((other) => active.has(other)) === true)
  )
  if (reachable.length > 0) return reachable[0]!
  // Known, but nobody here has an account: the planner says which provider to add one for.
  return home.find((provider) => catalog.has(provider.id, model, now)) ?? null
}

function notFound(model: string, { catalog, active, now }: ResolveOptions): GwError {
  const several = catalog.providers.filter((provider) =>
    active.has(provider.id) && catalog.has(provider.id, model, now)
  )
  if (several.length > 1) {
    const ids = several.map((provider) => `${provider.id}/${model}`)
    return new GwError('model.not_found', `model ${model} is offered by several providers: ${ids.join(', ')}`, {
      param: 'model',
      hint: 'write provider/model, or add an alias',
      details: { nearest: ids },
    })
  }
  const pool = active.size > 0 ? catalog.providers.filter((provider) => active.has(provider.id)) : catalog.providers
  const ids = new Set<string>(catalog.aliases.keys())
  for (const provider of pool) for (const id of catalog.modelIds(provider.id)) ids.add(`${provider.id}/${id}`)
  const close = nearestModels(model, ids)
  return new GwError('model.not_found', `no model ${model} in the catalogue`, {
    param: 'model',
    hint: close.length > 0
      ? `did you mean ${close.join(', ')}?`
      : 'write provider/model, as listed by gw models list --available',
    details: { nearest: close },
  })
}
