import { isHarmless, type Ledger } from './ledger.ts'
import type { InferenceRequest, ReasoningOptions, Sampling } from './request.ts'

/**
 * What one of OpenAI's own models makes of thinking and of sampling, by its name. Other names stand for models of which
 * nothing is known; they are sent what was asked for.
 *
 * @see https://platform.openai.com/docs/guides/reasoning
 */
interface OwnModel {
  /** Whether it thinks: some can be told not to, and are sampled like the others then. */
  readonly thinks: 'never' | 'always' | 'unless-told'
  /** The efforts it takes, least first. */
  readonly steps: readonly string[]
  readonly takesStop: boolean
}

const plain = /^(?:gpt-(?:3|4)|chatgpt-|gpt-5[.\d]*-chat\b)/
const first = /^o[134](?:-|$)/
const fifth = /^gpt-5(?:\.(\d+))?(?:-|$)/
const alwaysThinks = /-(?:codex|pro)\b/

function ownModel(model: string): OwnModel | null {
  if (plain.test(model)) return { thinks: 'never', steps: [], takesStop: true }
  if (first.test(model)) {
    return { thinks: 'always', steps: ['low', 'medium', 'high'], takesStop: /^(?:o1|o3-mini)/.test(model) }
  }
  const match = fifth.exec(model)
  if (match === null) return null
  const minor = Number(match[1] ?? 0)
  if (minor === 0) return { thinks: 'always', steps: ['minimal', 'low', 'medium', 'high'], takesStop: false }
  const steps = ['low', 'medium', 'high', ...(minor > 1 || /-max\b/.test(model) ? ['xhigh'] : [])]
  return { thinks: alwaysThinks.test(model) ? 'always' : 'unless-told', steps, takesStop: true }
}

/** Every effort that a caller may name, least first. */
const efforts = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max']

/**
 * How much thinking is asked for, as far as the model takes it; what it does not take is in the ledger.
 *
 * @returns `null` when nothing about thinking may be said to it; the wish itself for a model that is not known
 */
export function thinkingFor(model: string, wish: ReasoningOptions, ledger: Ledger): ReasoningOptions | null {
  const own = ledger.same ? null : ownModel(model)
  if (own === null) return wish
  if (own.thinks === 'never') {
    if (wish.mode !== 'off' && (wish.effort !== null || wish.budgetTokens !== null)) {
      ledger.lose(wish.effort === null ? wish.path : wish.effortPath, 'the model does not think')
    } else if (wish.summary !== null && wish.summary !== 'omitted' && ledger.target === 'openai-responses') {
      ledger.lose(`${wish.path}.summary`, 'the model does not think')
    }
    return null
  }
  const { effort } = wish
  const known = effort === null || effort === 'none' ? -1 : efforts.indexOf(effort)
  if (known < 0 || own.steps.includes(effort!)) return wish
  const step = own.steps.find((name) => efforts.indexOf(name) > known) ?? own.steps.at(-1)!
  ledger.lose(wish.effortPath, `${effort} became ${step}`)
  return { ...wish, effort: step }
}

/** Whether a model can be told not to think by the effort `none`. */
export function takesNone(model: string): boolean {
  return ownModel(model)?.thinks === 'unless-told'
}

const unsampled = ['temperature', 'topP', 'frequencyPenalty', 'presencePenalty'] as const

/**
 * How the model is sampled, as far as it takes it; what it does not take is in the ledger.
 *
 * @param effort what it is asked to think
 */
export function samplingFor(
  model: string,
  { sampling, source }: InferenceRequest,
  effort: string | undefined,
  ledger: Ledger,
): Sampling {
  const own = ledger.same ? null : ownModel(model)
  const thinks = own !== null &&
    (own.thinks === 'always' || (own.thinks === 'unless-told' && effort !== undefined && effort !== 'none'))
  if (!thinks) return sampling
  const out = { ...sampling }
  for (const name of unsampled) {
    const value = sampling[name]
    if (value === null) continue
    out[name] = null
    const path = name.replace(/[A-Z]/, (c) => `_${c.toLowerCase()}`)
    const usual = name === 'temperature' || name === 'topP' ? value === 1 : isHarmless(path, value)
    if (!usual) ledger.lose(path, 'the model is not sampled while it thinks')
  }
  if (sampling.stop !== null && sampling.stop.length > 0 && !own.takesStop) {
    out.stop = null
    ledger.lose(source === 'anthropic-messages' ? 'stop_sequences' : 'stop', 'the model takes no stop sequences')
  }
  return out
}
