import { GwError, isObject } from '../base/mod.ts'
import type { RouteBody } from './body.ts'

const percentiles = { p50: 0.5, p75: 0.75, p90: 0.9, p99: 0.99 } as const

/** A limit for a percentile of a measured number. */
export interface PercentileLimit {
  readonly name: keyof typeof percentiles
  /** 0 to 1. */
  readonly part: number
  readonly limit: number
}

/** Highest prices a caller accepts: USD per million tokens for prompt, completion and audio, USD a piece for the others. */
export interface MaxPrice {
  readonly prompt?: number
  readonly completion?: number
  readonly request?: number
  readonly image?: number
  readonly audio?: number
}

/** What a caller asked of the router in the body of its request. */
export interface Controls {
  /** Providers or accounts to try first, in this order. Names here are in lower case and without a slug's variant. */
  readonly order: readonly string[] | null
  readonly only: readonly string[] | null
  readonly ignore: readonly string[]
  readonly allowFallbacks: boolean
  readonly requireParameters: boolean
  readonly denyDataCollection: boolean
  readonly zdr: boolean
  readonly distillableText: boolean
  readonly quantizations: readonly string[] | null
  readonly sort: 'price' | 'throughput' | 'latency' | null
  /** Whether sorting goes across all models asked for, instead of one model after the other. */
  readonly sortAcrossModels: boolean
  /** Tokens per second. */
  readonly minThroughput: readonly PercentileLimit[] | null
  /** Seconds to the first token. */
  readonly maxLatency: readonly PercentileLimit[] | null
  readonly maxPrice: MaxPrice | null
  /** Model references to try after the request's own. */
  readonly fallbackModels: readonly string[]
  /** `null`: not said; true: over-long prompts may be compressed; false: never. */
  readonly middleOut: boolean | null
}

/** Nothing asked. */
export const noControls: Controls = {
  order: null,
  only: null,
  ignore: [],
  allowFallbacks: true,
  requireParameters: false,
  denyDataCollection: false,
  zdr: false,
  distillableText: false,
  quantizations: null,
  sort: null,
  sortAcrossModels: false,
  minThroughput: null,
  maxLatency: null,
  maxPrice: null,
  fallbackModels: [],
  middleOut: null,
}

/** Whether any of the controls may rule a target out. */
export const mayRuleOut = (controls: Controls): boolean =>
  controls.only !== null || controls.ignore.length > 0 || (controls.order !== null && !controls.allowFallbacks) ||
  controls.denyDataCollection || controls.zdr || controls.distillableText || controls.quantizations !== null ||
  controls.maxPrice !== null || controls.requireParameters

/** Top-level keys of a body that belong to the router and not to the model. */
export const controlKeys = ['provider', 'models', 'route', 'fallbacks', 'transforms'] as const

/**
 * Reads the controls of a body; `null`, and nothing parsed, when it has none.
 *
 * @throws GwError `request.invalid` naming the field, for wrong types and for controls that contradict each other
 * @see https://openrouter.ai/docs/features/provider-routing
 * @see https://openrouter.ai/docs/features/model-routing
 */
export function controlsOf(body: RouteBody): Controls | null {
  let found: Record<string, unknown> | null = null
  for (const key of controlKeys) {
    if (body.span(key) === undefined) continue
    const value = body.field(key)
    // The scan of a body looks at brackets and strings alone; what cannot be read must not be passed over in silence.
    if (value === undefined) throw wrong(key, 'valid JSON')
    if (value !== null) (found ??= {})[key] = value
  }
  if (found === null) return null
  const { models, route, fallbacks } = found
  const controls: Controls = {
    ...readProvider(found.provider ?? {}),
    fallbackModels: models === undefined && route === undefined && fallbacks === undefined
      ? noControls.fallbackModels
      : readFallbacks(models, route, fallbacks, body.field('model')),
    middleOut: readTransforms(found.transforms),
  }
  contradictions(controls)
  return controls
}

const providerKeys = new Set([
  'order',
  'allow_fallbacks',
  'require_parameters',
  'data_collection',
  'zdr',
  'enforce_distillable_text',
  'only',
  'ignore',
  'quantizations',
  'sort',
  'preferred_min_throughput',
  'preferred_max_latency',
  'max_price',
])
const quantizationNames = new Set(['int4', 'int8', 'fp4', 'fp6', 'fp8', 'fp16', 'bf16', 'fp32', 'unknown'])
const maxNames = 50

function wrong(param: string, expected: string): GwError {
  return new GwError('request.invalid', `${param} must be ${expected}`, { param })
}

function names(value: unknown, param: string): readonly string[] | null {
  if (value === undefined || value === null) return null
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string' && item !== '')) {
    throw wrong(param, 'a list of names')
  }
  if (value.length > maxNames) throw wrong(param, `a list of at most ${maxNames} names`)
  return value as string[]
}

/**
 * Names of providers or accounts, as they are compared. OpenRouter's slugs may name a variant after a slash: it is still
 * that provider.
 */
function targets(value: unknown, param: string): readonly string[] | null {
  return names(value, param)?.map((name) => {
    const slash = name.indexOf('/')
    return (slash > 0 ? name.slice(0, slash) : name).toLowerCase()
  }) ?? null
}

function flag(value: unknown, param: string, otherwise: boolean): boolean {
  if (value === undefined || value === null) return otherwise
  if (typeof value !== 'boolean') throw wrong(param, 'true or false')
  return value
}

function positive(value: unknown, param: string): number {
  // Prices arrive as numbers or as decimal text.
  const number = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number) || number < 0) throw wrong(param, 'a number of 0 or more')
  return number
}

function readProvider(provider: unknown): Omit<Controls, 'fallbackModels' | 'middleOut'> {
  if (!isObject(provider)) throw wrong('provider', 'an object')
  for (const key in provider) {
    if (!providerKeys.has(key)) {
      throw new GwError('request.invalid', `provider.${key} is no routing control`, {
        param: `provider.${key}`,
        hint: `known: ${[...providerKeys].join(', ')}`,
      })
    }
  }
  const { data_collection: data, quantizations } = provider
  if (data !== undefined && data !== null && data !== 'allow' && data !== 'deny') {
    throw wrong('provider.data_collection', '"allow" or "deny"')
  }
  const formats = names(quantizations, 'provider.quantizations')
  const unknown = formats?.find((format) => !quantizationNames.has(format))
  if (unknown !== undefined) {
    throw wrong('provider.quantizations', `among ${[...quantizationNames].join(', ')}, not "${unknown.slice(0, 40)}"`)
  }
  return {
    order: targets(provider.order, 'provider.order'),
    only: targets(provider.only, 'provider.only'),
    ignore: targets(provider.ignore, 'provider.ignore') ?? [],
    allowFallbacks: flag(provider.allow_fallbacks, 'provider.allow_fallbacks', true),
    requireParameters: flag(provider.require_parameters, 'provider.require_parameters', false),
    denyDataCollection: data === 'deny',
    zdr: flag(provider.zdr, 'provider.zdr', false),
    distillableText: flag(provider.enforce_distillable_text, 'provider.enforce_distillable_text', false),
    quantizations: formats,
    sort: readSort(provider.sort),
    sortAcrossModels: readPartition(provider.sort) === 'none',
    minThroughput: readPercentiles(provider.preferred_min_throughput, 'provider.preferred_min_throughput'),
    maxLatency: readPercentiles(provider.preferred_max_latency, 'provider.preferred_max_latency'),
    maxPrice: readMaxPrice(provider.max_price),
  }
}

function readSort(value: unknown): Controls['sort'] {
  if (value === undefined || value === null) return null
  const by = isObject(value) ? value.by : value
  if (by === 'price' || by === 'throughput' || by === 'latency') return by
  throw wrong('provider.sort', '"price", "throughput" or "latency", or {by, partition}')
}

function readPartition(sort: unknown): 'model' | 'none' {
  const partition = isObject(sort) ? sort.partition ?? 'model' : 'model'
  if (partition === 'model' || partition === 'none') return partition
  throw wrong('provider.sort.partition', '"model" or "none"')
}

/** Limits by percentile; a plain number means the median. */
function readPercentiles(value: unknown, param: string): readonly PercentileLimit[] | null {
  if (value === undefined || value === null) return null
  const byName = isObject(value) ? value : { p50: value }
  return Object.entries(byName).flatMap(([name, item]) => {
    const at = isObject(value) ? `${param}.${name}` : param
    if (!isPercentile(name)) throw wrong(at, `one of ${Object.keys(percentiles).join(', ')}`)
    return item === null ? [] : [{ name, part: percentiles[name], limit: positive(item, at) }]
  })
}

const isPercentile = (name: string): name is keyof typeof percentiles => Object.hasOwn(percentiles, name)

function readMaxPrice(value: unknown): MaxPrice | null {
  if (value === undefined || value === null) return null
  if (!isObject(value)) throw wrong('provider.max_price', 'an object')
  const out: { -readonly [K in keyof MaxPrice]: number } = {}
  for (const [key, item] of Object.entries(value)) {
    if (key !== 'prompt' && key !== 'completion' && key !== 'request' && key !== 'image' && key !== 'audio') {
      throw wrong(`provider.max_price.${key}`, 'one of prompt, completion, request, image, audio')
    }
    if (item !== null) out[key] = positive(item, `provider.max_price.${key}`)
  }
  return out
}

function readFallbacks(models: unknown, route: unknown, fallbacks: unknown, model: unknown): readonly string[] {
  if (route !== undefined && route !== null && route !== 'fallback') throw wrong('route', '"fallback"')
  const list = names(models, 'models') ?? []
  let anthropic: string[] = []
  if (fallbacks !== undefined && fallbacks !== null) {
    if (!Array.isArray(fallbacks) || fallbacks.length > maxNames) throw wrong('fallbacks', 'a list of {model}')
    anthropic = fallbacks.map((item, i) => {
      const name = isObject(item) ? item.model : item
      if (typeof name !== 'string' || name === '') throw wrong(`fallbacks[${i}].model`, 'a model name')
      return name
    })
  }
  if (list.length > 0 && anthropic.length > 0) {
    throw new GwError('request.invalid', 'models and fallbacks both name fallback models', { param: 'fallbacks' })
  }
  if (route === 'fallback' && list.length === 0 && anthropic.length === 0) {
    throw new GwError('request.invalid', 'route is "fallback" but models names none', { param: 'models' })
  }
  return [...new Set([...list, ...anthropic])].filter((name) => name !== model)
}

function readTransforms(value: unknown): boolean | null {
  const list = names(value, 'transforms')
  if (list === null) return null
  const unknown = list.find((name) => name !== 'middle-out')
  if (unknown !== undefined) throw wrong('transforms', '["middle-out"] or []')
  return list.length > 0
}

function contradictions(controls: Controls): void {
  const { order, only, ignore, allowFallbacks } = controls
  const bad = (param: string, message: string): GwError => new GwError('request.invalid', message, { param })
  if (only && only.length === 0) throw bad('provider.only', 'provider.only is empty: no provider may serve the request')
  const both = only?.find((name) => ignore.includes(name))
  if (both !== undefined) throw bad('provider.ignore', `provider.only and provider.ignore both name "${both}"`)
  const ordered = order?.find((name) => ignore.includes(name))
  if (ordered !== undefined) throw bad('provider.ignore', `provider.order and provider.ignore both name "${ordered}"`)
  if (order && only && !allowFallbacks && !order.some((name) => only.includes(name))) {
    throw bad('provider.order', 'provider.order and provider.only have no provider in common')
  }
  if (order && order.length === 0 && !allowFallbacks) {
    throw bad('provider.order', 'provider.order is empty and fallbacks are not allowed')
  }
}
