/**
 * Whether a name matches a pattern in which `*` stands for any run of characters. Case counts.
 *
 * Linear in both lengths: a hostile pattern cannot make it slow.
 */
export function matches(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name
  const [head, ...rest] = pattern.split('*')
  const tail = rest.pop()!
  if (name.length < head!.length + tail.length || !name.startsWith(head!) || !name.endsWith(tail)) return false
  let at = head!.length
  const end = name.length - tail.length
  for (const part of rest) {
    const found = name.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}

/** Whether one of the patterns matches. */
export function matchesAny(patterns: readonly string[], name: string): boolean {
  for (const pattern of patterns) if (matches(pattern, name)) return true
  return false
}

/**
 * Whether everything that `inner` matches is matched by `outer` too.
 *
 * The `*` of the inner pattern is read as a character that only a `*` of the outer one can stand for; so a `true` is
 * always right, and a `false` may be too careful for patterns with several stars.
 */
export function covers(outer: string, inner: string): boolean {
  return matches(outer, inner)
}

/** Whether each inner pattern is covered by one of the outer ones; `null` is all. */
export function coversAll(outer: readonly string[] | null, inner: readonly string[] | null): boolean {
  if (outer === null) return true
  if (inner === null) return false
  return inner.every((pattern) => outer.some((wider) => covers(wider, pattern)))
}
