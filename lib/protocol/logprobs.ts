import type { Json, JsonObject } from '../base/mod.ts'
import type { Ledger } from './ledger.ts'
import { numberOf, objectOf, objectsOf, stringOf } from './read.ts'
import type { InferenceRequest } from './request.ts'

/** A wish for the probability of each token. */
export interface LogprobsWish {
  /** Where it stands in the caller's body. */
  readonly path: string
  /** How many of the likeliest tokens at each place; `null` when the caller did not say. */
  readonly top: number | null
  readonly topPath: string
}

/** A token and how likely it was. */
export interface TokenChance {
  readonly token: string
  /** Natural logarithm of its probability. */
  readonly logprob: number
  /** Its bytes, where the upstream told them: those of a token that is part of a character are not in its text. */
  readonly bytes?: readonly number[]
}

/** A token of an answer, with the likeliest ones in its place. */
export interface TokenLogprob extends TokenChance {
  readonly top: readonly TokenChance[]
}

/** Takes down a wish that the target cannot grant. */
export function loseLogprobs({ logprobs }: InferenceRequest, ledger: Ledger): void {
  if (logprobs === null) return
  const why = `no equivalent in ${ledger.target}`
  ledger.lose(logprobs.path, why)
  if (logprobs.top !== null && logprobs.top > 0) ledger.lose(logprobs.topPath, why)
}

/** The tokens of a list as the two OpenAI protocols write it; `undefined` when there are none. */
export function readLogprobs(value: Json | undefined): readonly TokenLogprob[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined
  return objectsOf(value).flatMap((entry) => {
    const chance = readChance(entry, 'logprob')
    return chance === null
      ? []
      : [{ ...chance, top: objectsOf(entry.top_logprobs).flatMap((item) => readChance(item, 'logprob') ?? []) }]
  })
}

const utf8 = new TextEncoder()

/** The same list as they write it. */
export function writeLogprobs(list: readonly TokenLogprob[]): JsonObject[] {
  const chance = ({ token, logprob, bytes }: TokenChance): JsonObject => ({
    token,
    logprob,
    bytes: [...bytes ?? utf8.encode(token)],
  })
  return list.map((entry) => ({ ...chance(entry), top_logprobs: entry.top.map(chance) }))
}

/** The tokens of a candidate of Gemini's; `undefined` when it tells none. @see https://ai.google.dev/api/generate-content#LogprobsResult */
export function readLogprobsResult(value: Json | undefined): readonly TokenLogprob[] | undefined {
  const result = objectOf(value)
  if (result === undefined) return undefined
  const tops = objectsOf(result.topCandidates)
  return objectsOf(result.chosenCandidates).flatMap((entry, i) => {
    const chance = readChance(entry, 'logProbability')
    const top = objectsOf(tops[i]?.candidates).flatMap((item) => readChance(item, 'logProbability') ?? [])
    return chance === null ? [] : [{ ...chance, top }]
  })
}

/** The same tokens as Gemini tells them. */
export function writeLogprobsResult(list: readonly TokenLogprob[]): JsonObject {
  const chance = ({ token, logprob }: TokenChance): JsonObject => ({ token, logProbability: logprob })
  return {
    chosenCandidates: list.map(chance),
    topCandidates: list.map(({ top }) => ({ candidates: top.map(chance) })),
  }
}

function readChance(entry: JsonObject, field: 'logprob' | 'logProbability'): TokenChance | null {
  const token = stringOf(entry.token)
  const logprob = numberOf(entry[field])
  if (token === null || logprob === null) return null
  return Array.isArray(entry.bytes) ? { token, logprob, bytes: entry.bytes as number[] } : { token, logprob }
}
