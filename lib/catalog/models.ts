import type { Capability, ModelPrice, PriceTier } from './provider.ts'

/** What the shipped data knows about one model. */
export interface ModelFact {
  readonly id: string
  readonly contextTokens: number | null
  readonly price: ModelPrice | null
  readonly deprecated: boolean
}

/** Model facts and prices that ship with gw; works without a network. */
export interface ModelFacts {
  /** The facts of a model, dated names such as `…-20250929` included, or `null` when it is unknown. */
  find(provider: string, model: string, now: number): ModelFact | null
  /** Ids of the models it knows for a provider. */
  list(provider: string): readonly string[]
}

/** Where the prices come from: package, version and the day it was published. */
const source = 'genai-prices 0.1.8 (2026-09-23)'

type PriceModule = Pick<typeof import('@pydantic/genai-prices'), 'calcPrice' | 'findProvider'>

/**
 * Loads the shipped facts. The data is large (40 ms to evaluate), so it is imported on first use and not at start-up.
 *
 * @see https://github.com/pydantic/genai-prices
 */
export async function loadModelFacts(): Promise<ModelFacts> {
  return modelFacts(await import('@pydantic/genai-prices'))
}

const dayMs = 86_400_000

function modelFacts(data: PriceModule): ModelFacts {
  // Prices may start on a day or hold for hours of a day; a day is as fine as routing needs.
  const cache = new Map<string, ModelFact | null>()
  let cachedDay = -1
  return {
    find(provider, model, now) {
      const day = Math.floor(now / dayMs)
      if (day !== cachedDay || cache.size > 5_000) {
        cache.clear()
        cachedDay = day
      }
      const key = `${provider}/${model}`
      let fact = cache.get(key)
      if (fact === undefined) cache.set(key, fact = lookUp(data, provider, model, now))
      return fact
    },
    list: (provider) => data.findProvider({ providerId: provider })?.models.map((model) => model.id) ?? [],
  }
}

function lookUp(data: PriceModule, provider: string, model: string, now: number): ModelFact | null {
  const known = data.findProvider({ providerId: provider })
  if (!known) return null
  const found = data.calcPrice({}, model, { provider: known, timestamp: new Date(now) })
  if (!found || found.provider.id !== known.id) return null
  return {
    id: found.model.id,
    contextTokens: found.model.context_window ?? null,
    price: toPrice(found.model_price),
    deprecated: found.model.deprecated === true,
  }
}

type RawPrice =
  | number
  | { readonly base: number; readonly tiers: readonly { start: number; price: number }[] }
  | undefined

const micros = (usdPerMillion: number): number => Math.round(usdPerMillion * 1_000_000)

function base(price: RawPrice): number | null {
  return price === undefined ? null : micros(typeof price === 'number' ? price : price.base)
}

function at(price: RawPrice, tokens: number): number | null {
  if (price === undefined || typeof price === 'number') return base(price)
  const tier = price.tiers.filter(({ start }) => start <= tokens).at(-1)
  return micros(tier ? tier.price : price.base)
}

function toPrice(raw: Readonly<Record<string, unknown>>): ModelPrice | null {
  const of = (key: string) => raw[key] as RawPrice
  const input = base(of('input_mtok'))
  if (input === null) return null
  const names = ['input_mtok', 'output_mtok', 'cache_read_mtok', 'cache_write_mtok', 'cache_write_1h_mtok']
  const starts = new Set(names.flatMap((key) => {
    const price = of(key)
    return price === undefined || typeof price === 'number' ? [] : price.tiers.map(({ start }) => start)
  }))
  const tiers: PriceTier[] = [...starts].sort((a, b) => a - b).map((start) => ({
    aboveTokens: start,
    inputMicros: at(of('input_mtok'), start)!,
    outputMicros: at(of('output_mtok'), start) ?? 0,
    cachedInputMicros: at(of('cache_read_mtok'), start),
    cacheWriteMicros: at(of('cache_write_mtok'), start),
    cacheWrite1hMicros: at(of('cache_write_1h_mtok'), start),
  }))
  const requests = of('requests_kcount')
  return {
    inputMicros: input,
    // Models that only read (embeddings, transcription by token) name no output price: reading is all they charge for.
    outputMicros: base(of('output_mtok')) ?? 0,
    cachedInputMicros: base(of('cache_read_mtok')),
    cacheWriteMicros: base(of('cache_write_mtok')),
    cacheWrite1hMicros: base(of('cache_write_1h_mtok')),
    ...(typeof requests === 'number' ? { requestMicros: Math.round(requests * 1000) } : {}),
    // By the token: what one image takes is not in the data.
    ...(['input_image_mtok', 'output_image_mtok'].some((key) => of(key) !== undefined) ? { imageMicros: null } : {}),
    ...audioPrice(of),
    ...(tiers.length > 0 ? { tiers } : {}),
    source,
  }
}

/** What sound costs: per million tokens the dearer of heard and spoken, unknown where it goes by the hour. */
function audioPrice(of: (key: string) => RawPrice): Pick<ModelPrice, 'audioMicros'> {
  const tokens = ['input_audio_mtok', 'output_audio_mtok'].map((key) => base(of(key))).filter((usd) => usd !== null)
  if (tokens.length > 0) return { audioMicros: Math.max(...tokens) }
  return ['audio_hours', 'input_audio_hours'].some((key) => of(key) !== undefined) ? { audioMicros: null } : {}
}

/** What a model is for, by its name, when nobody says: most are for chat. */
export function capabilitiesOf(model: string): readonly Capability[] {
  const id = model.toLowerCase()
  if (/embed|^voyage-(?!.*rerank)|^bge-|^e5-|^gte-/.test(id)) return ['embeddings']
  if (/rerank/.test(id)) return ['rerank']
  if (/whisper|transcribe|^nova-|voxtral/.test(id)) return ['transcription']
  if (/^tts-|-tts|speech/.test(id)) return ['speech']
  if (/dall-e|gpt-image|imagen|flux|stable-diffusion/.test(id)) return ['images']
  return ['chat']
}
