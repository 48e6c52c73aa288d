import type { Candidate } from './candidates.ts'
import type { MaxPrice } from './controls.ts'

/**
 * Why a target is dearer than the caller allows, or `null`.
 *
 * A plan that is paid for anyway costs nothing. A limit on a price that nobody knows rules the target out: a limit is
 * for not being surprised. Images and sound that a chat model reads are prompt tokens where nobody names a price of
 * their own; making images, speaking and transcribing have one, known or not.
 */
export function overPrice({ account, model, target }: Candidate, limit: MaxPrice): string | null {
  if (account.plan) return null
  const { price } = model
  if (price === null) return Object.keys(limit).length === 0 ? null : `the price of ${model.id} is not known`
  const { capability } = target
  return over('a million prompt tokens cost', price.inputMicros, limit.prompt) ??
    over('a million completion tokens cost', price.outputMicros, limit.completion) ??
    over('a request costs', price.requestMicros ?? 0, limit.request) ??
    overApart('an image costs', price.imageMicros, limit.image, capability === 'images') ??
    overApart('a million audio tokens cost', price.audioMicros, limit.audio, listensOrSpeaks(capability))
}

const listensOrSpeaks = (capability: string): boolean => capability === 'speech' || capability === 'transcription'

function over(what: string, micros: number, most: number | undefined): string | null {
  return most !== undefined && micros > most * 1e6 ? `${what} $${micros / 1e6} and the limit is $${most}` : null
}

/** {@link over} for what may cost nothing beside the tokens: then only who does nothing else needs a price for it. */
function overApart(
  what: string,
  micros: number | null | undefined,
  most: number | undefined,
  isItsWork: boolean,
): string | null {
  if (most === undefined || (micros === undefined && !isItsWork)) return null
  return micros === undefined || micros === null ? `what ${what} is not known` : over(what, micros, most)
}
