import { GwError } from './base/mod.ts'

/** No clock that is right shows less, nor, as long as this version is in use, more. */
const oldest = Date.UTC(2026, 0, 1)
const newest = Date.UTC(2100, 0, 1)

/**
 * What is wrong with a clock that cannot be right; `null` when it may be. By such a clock records and tokens would be
 * taken for long expired, and forgotten.
 *
 * @param now epoch ms
 */
export function clockFault(now: number): GwError | null {
  if (now > oldest && now < newest) return null
  const text = Number.isFinite(new Date(now).getTime()) ? new Date(now).toISOString() : String(now)
  return new GwError('platform.unsupported', `the clock of this machine says ${text}`, {
    hint: 'set the clock: tokens and logins expire by it, and records are forgotten by it',
  })
}
