import { matchesPattern } from '../catalog/mod.ts'

/**
 * Whether everything that `inner` matches is matched by `outer` too.
 *
 * The `*` of the inner pattern is read as a character that only a `*` of the outer one can stand for; so a `true` is
 * always right, and a `false` may be too careful for patterns with several stars.
 */
export function covers(outer: string, inner: string): boolean {
  return matchesPattern(outer, inner)
}

/** Whether each inner pattern is covered by one of the outer ones; `null` is all. */
export function coversAll(outer: readonly string[] | null, inner: readonly string[] | null): boolean {
  if (outer === null) return true
  if (inner === null) return false
  return inner.every((pattern) => outer.some((wider) => covers(wider, pattern)))
}
