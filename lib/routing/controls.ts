import { GwError, isObject, type Json, type JsonObject } from '../base/mod.ts'
import type { RouteBody } from './body.ts'

/** Percentiles of a measured number; a plain number means the median. */
export interface Percentiles {
  readonly p50?: number
  readonly p75?: number
  readonly p90?: number
  readonly p99?: number
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
  /** Providers or accounts to try first, in this order. */
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
  readonly minThroughput: Percentiles | null
  /** Seconds to the first token. */
  readonly maxLatency: Percentiles | null
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

/** Top-level keys of a body that belong to the router and not to the model. */
export const controlKeys = ['provider', 'models', 'route', 'fallbacks', 'transforms'] as const

/** Reads the controls of a body; nothing is parsed when it has none. */
export function controlsOf(body: RouteBody): Controls | null {
  if (!controlKeys.some((key) => body.span(key) !== undefined)) return null
  const fields: Record<string, Json> = {}
  for (const key of [...controlKeys, 'model']) {
    const value = body.field(key)
    if (value !== undefined) fields[key] = value as Json
  }
  return readControls(fields)
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

/**
 * The router's controls in a request body, or `null` when it has none.
 *
 * @throws GwError `request.invalid` naming the field, for wrong types and for controls that contradict each other
 * @see https://openrouter.ai/docs/features/provider-routing
 * @see https://openrouter.ai/docs/features/model-routing
 */
function readControls(body: JsonObject): Controls | null {
  const { provider, models, route, fallbacks, transforms } = body
  if ([provider, models, route, fallbacks, transforms].every((value) => value === undefined || value === null)) {
    return null
  }
  const fromProvider = provider === undefined || provider === null ? {} : readProvider(provider)
  const controls: Controls = {
    ...noControls,
    ...fromProvider,
    fallbackModels: readFallbacks(models, route, fallbacks, body.model),
    middleOut: readTransforms(transforms),
  }
  contradictions(controls)
  return controls
}

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

function readProvider(provider: unknown): Partial<Controls> {
  if (!isObject(provider)) throw wrong('provider', 'an object')
  for (const key of Object.keys(provider)) {
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
    order: names(provider.order, 'provider.order'),
    only: names(provider.only, 'provider.only'),
    ignore: names(provider.ignore, 'provider.ignore') ?? [],
    allowFallbacks: flag(provider.allow_fallbacks, 'provider.allow_fallbacks', true),
    requireParameters: flag(provider.require_parameters, 'provider.require_parameters', false),
    denyDataCollection: data === 'deny',
    zdr: flag(provider.zdr, 'provider.zdr', false),
    distillableText: flag(provider.enforce_distillable_text, 'provider.enforce_distillable_text', false),
    quantizations: formats,
    ...readSort(provider.sort),
    minThroughput: readPercentiles(provider.preferred_min_throughput, 'provider.preferred_min_throughput'),
    maxLatency: readPercentiles(provider.preferred_max_latency, 'provider.preferred_max_latency'),
    maxPrice: readMaxPrice(provider.max_price),
  }
}

function readSort(value: unknown): Pick<Controls, 'sort' | 'sortAcrossModels'> {
  if (value === undefined || value === null) return { sort: null, sortAcrossModels: false }
  const by = isObject(value) ? value.by : value
  if (by !== 'price' && by !== 'throughput' && by !== 'latency') {
    throw wrong('provider.sort', '"price", "throughput" or "latency", or {by, partition}')
  }
  const partition = isObject(value) ? value.partition ?? 'model' : 'model'
  if (partition !== 'model' && partition !== 'none') throw wrong('provider.sort.partition', '"model" or "none"')
  return { sort: by, sortAcrossModels: partition === 'none' }
}

function readPercentiles(value: unknown, param: string): Percentiles | null {
  if (value === undefined || value === null) return null
  if (!isObject(value)) return { p50: positive(value, param) }
  const out: { -readonly [K in keyof Percentiles]: number } = {}
  for (const [key, item] of Object.entries(value)) {
    if (key !== 'p50' && key !== 'p75' && key !== 'p90' && key !== 'p99') {
      throw wrong(`${param}.${key}`, 'one of p50, p75, p90, p99')
    }
    if (item !== null) out[key] = positive(item, `${param}.${key}`)
  }
  return out
}

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
