import { matchesPattern } from '../catalog/mod.ts'

/**
 * Whether everything that an inner pattern matches is matched by one of the outer ones too; `null` is all.
 *
 * The `*` of the inner pattern is read as a character that only a `*` of the outer one can stand for; so a `true` is
 * always right, and a `false` may be too careful for patterns with several stars.
 */
export function coversAll(outer: readonly string[] | null, inner: readonly string[] | null): boolean {
  if (outer === null) return true
  if (inner === null) return false
  return inner.every((pattern) => outer.some((wider) => matchesPattern(wider, pattern)))
}
