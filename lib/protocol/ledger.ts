import type { Json, JsonObject } from '../base/mod.ts'
import type { ProtocolId } from './id.ts'
import type { Loss } from './loss.ts'
import type { Found } from './request.ts'

/**
 * Keeps the account of one translation: what is carried, and what is not.
 *
 * Every encoder hands each thing it finds to exactly one of three places: the body it writes, {@link Ledger.lose}, or
 * {@link Ledger.extras}, which decides between the two for fields that only some protocols know.
 */
export interface Ledger {
  readonly source: ProtocolId
  readonly target: ProtocolId
  /** Whether source and target are one protocol, so that native things re-emerge. */
  readonly same: boolean
  readonly losses: readonly Loss[]
  lose(path: string, reason: string): void
  /** The unknown fields of a thing that the target knows too; the others become losses. */
  extras(found: Found): JsonObject | undefined
  /** The unknown fields of an object inside a thing, in its own protocol; {@link Ledger.extras} accounts for others. */
  inner(found: Found, key: string): JsonObject | undefined
}

/** Fields of the request that the two OpenAI protocols share by name and meaning. */
const openaiShared = new Set([
  'metadata',
  'prompt_cache_key',
  'prompt_cache_options',
  'prompt_cache_retention',
  'moderation',
])

/**
 * Values that say what would happen anyway. Leaving them out loses nothing, so `strict` does not refuse them.
 *
 * Keyed by the last name of the path.
 */
const harmlessValues: Readonly<Record<string, readonly Json[]>> = {
  n: [1],
  candidateCount: [1],
  responseLogprobs: [false],
  logprobs: [false],
  top_logprobs: [0],
  frequency_penalty: [0],
  presence_penalty: [0],
  background: [false],
  truncation: ['disabled'],
  include_obfuscation: [true, false],
  include: [],
  detail: ['auto'],
  speed: ['standard'],
  clear_at: ['never'],
  response_inclusion: ['full'],
  phase: [],
  status: ['completed'],
  defer_loading: [false],
  async: [false],
  annotations: [],
  // How finely arguments are streamed, not what they are.
  eager_input_streaming: [true, false],
  // Gemini's switches that are off unless turned on.
  willContinue: [false],
  streamFunctionCallArguments: [false],
  includeServerSideToolInvocations: [false],
  audioTimestamp: [false],
  enableAffectiveDialog: [false],
  enableEnhancedCivicAnswers: [false],
  behavior: ['BLOCKING'],
}

/** What objects say that say no more than their absence would, by their names. */
const harmlessObjects: Readonly<Record<string, string>> = {
  // Called by the model itself, or allowed to it: what a call is without saying so.
  caller: '{"type":"direct"}',
  allowed_callers: '["direct"]',
  citations: '{"enabled":false}',
  modalities: '["text"]',
  responseModalities: '["TEXT"]',
}

/** How Gemini writes that a choice among words was not made. */
const unspecified = /^(?:[A-Z]+_)*UNSPECIFIED$/

/** Whether a value says nothing that its absence would not say. */
export function isHarmless(key: string, value: Json | undefined): boolean {
  if (value === undefined || value === null) return true
  if (typeof value === 'object') {
    const entries = Object.entries(value)
    if (key === 'stream_options') return entries.every(([name, item]) => isHarmless(name, item))
    return entries.length === 0 || harmlessObjects[key] === JSON.stringify(value)
  }
  if (typeof value === 'string' && unspecified.test(value)) return true
  return harmlessValues[key]?.includes(value) ?? false
}

/**
 * Where a protocol keeps what the encoders of the others call by these names. The other protocols keep them where their
 * encoders say.
 */
const places: Readonly<Partial<Record<ProtocolId, Readonly<Record<string, string>>>>> = {
  'anthropic-messages': {
    'thinking.summary': 'thinking.display',
  },
  gemini: {
    'temperature': 'generationConfig.temperature',
    'top_p': 'generationConfig.topP',
    'top_k': 'generationConfig.topK',
    'stop': 'generationConfig.stopSequences',
    'seed': 'generationConfig.seed',
    'n': 'generationConfig.candidateCount',
    'frequency_penalty': 'generationConfig.frequencyPenalty',
    'presence_penalty': 'generationConfig.presencePenalty',
    'response_format': 'generationConfig.responseMimeType',
    'text.format': 'generationConfig.responseMimeType',
    'tool_choice': 'toolConfig.functionCallingConfig',
    'service_tier': 'serviceTier',
    'generationConfig.thinkingConfig.budget_tokens': 'generationConfig.thinkingConfig.thinkingBudget',
    'generationConfig.thinkingConfig.summary': 'generationConfig.thinkingConfig.includeThoughts',
  },
}

function placeOf(source: ProtocolId, path: string): string {
  const known = places[source]
  if (known === undefined) return path
  if (known[path] !== undefined) return known[path]
  return source === 'gemini' ? path.replace(/\.is_error$/, '.functionResponse.response.error') : path
}

/** A fresh account of a translation between two protocols. */
export function createLedger(source: ProtocolId, target: ProtocolId): Ledger {
  const losses: Loss[] = []
  const same = source === target
  const family = source.startsWith('openai') && target.startsWith('openai')
  const noEquivalent = `no equivalent in ${target}`

  return {
    source,
    target,
    same,
    losses,
    lose(path, reason) {
      losses.push({ path: placeOf(source, path), reason })
    },
    inner: (found, key) => same ? found.nested?.[key] : undefined,
    extras(found) {
      if (!same && found.nested !== undefined) {
        for (const name in found.nested) {
          for (const [key, value] of Object.entries(found.nested[name] ?? {})) {
            if (!isHarmless(key, value)) {
              const inside = found.path === '' ? name : `${found.path}.${name}`
              losses.push({ path: joinPath(inside, key), reason: noEquivalent })
            }
          }
        }
      }
      if (found.extra === undefined) return undefined
      if (same) return found.extra
      let kept: Record<string, Json | undefined> | undefined
      for (const key in found.extra) {
        const value = found.extra[key]
        if (family && found.path === '' && openaiShared.has(key)) (kept ??= {})[key] = value
        else if (!isHarmless(key, value)) losses.push({ path: joinPath(found.path, key), reason: noEquivalent })
      }
      return kept
    },
  }
}

const plainKey = /^[A-Za-z_$][\w$]*$/

/** A JSON path with one more key. */
export function joinPath(path: string, key: string): string {
  const step = plainKey.test(key) ? key : `[${JSON.stringify(key)}]`
  return path === '' ? step : step.startsWith('[') ? path + step : `${path}.${step}`
}

/** The keys of an object that a decoder does not know; `undefined` when there are none. */
export function unknownFields(value: JsonObject, known: ReadonlySet<string>): JsonObject | undefined {
  let rest: Record<string, Json | undefined> | undefined
  for (const key in value) if (!known.has(key)) (rest ??= {})[key] = value[key]
  return rest
}
