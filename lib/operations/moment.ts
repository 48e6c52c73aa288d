import { z } from 'zod'
import { GwError } from '../base/mod.ts'

/** A moment as a program has it or a person writes it; {@link momentOf} reads it. */
export const moment = z.union([z.string().min(1).max(40), z.int().min(0)])

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** Milliseconds of `30s`, `90m`, `12h`, `7d`, `2w`; `null` for any other text. */
export function lifeOf(text: string): number | null {
  const match = /^(\d{1,9})([smhdw])$/.exec(text)
  return match && Number(match[1]) > 0 ? Number(match[1]) * unitMs[match[2]!]! : null
}

/**
 * Epoch ms of a {@link moment}: `7d` is so long ago, a date begins in UTC, a time names its zone.
 *
 * @throws GwError `request.invalid` naming the field
 */
export function momentOf(given: string | number | undefined, now: number, param: string): number | undefined {
  if (given === undefined || typeof given === 'number') return given
  if (/^\d{1,15}$/.test(given)) return Number(given)
  const ago = lifeOf(given)
  if (ago !== null) return Math.max(0, now - ago)
  const at = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/.test(given)
    ? Date.parse(given)
    : NaN
  if (Number.isNaN(at)) {
    throw new GwError('request.invalid', `${param}: ${given} is no moment`, {
      hint: '7d (so long ago), 2026-11-01, 2026-11-01T12:00:00Z or epoch milliseconds',
      param,
    })
  }
  return Math.max(0, at)
}
