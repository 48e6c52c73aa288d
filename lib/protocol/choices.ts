import type { Ledger } from './ledger.ts'
import type { InferenceRequest } from './request.ts'

/**
 * How many answers to choose from a target is asked for; `undefined` where that need not or cannot be said.
 *
 * @param most how many the target gives at once
 */
export function choicesFor({ choices }: InferenceRequest, ledger: Ledger, most: number): number | undefined {
  if (choices === null || ledger.same) return choices ?? undefined
  if (choices === 1) return undefined
  if (choices > 1 && choices <= most) return choices
  ledger.lose('n', most === 1 ? `no equivalent in ${ledger.target}` : `${ledger.target} gives 1 to ${most} answers`)
  return choices > most && most > 1 ? most : undefined
}
