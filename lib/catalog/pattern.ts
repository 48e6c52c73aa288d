/** Whether a text fits a pattern in which `*` stands for any run of characters; letters count regardless of case. */
export function matchesPattern(pattern: string, text: string): boolean {
  if (!pattern.includes('*')) return pattern.toLowerCase() === text.toLowerCase()
  const parts = pattern.toLowerCase().split('*')
  const subject = text.toLowerCase()
  const last = parts.pop()!
  const first = parts.shift()!
  if (subject.length < first.length + last.length || !subject.startsWith(first) || !subject.endsWith(last)) return false
  let at = first.length
  const end = subject.length - last.length
  for (const part of parts) {
    const found = subject.indexOf(part, at)
    if (found < 0 || found + part.length > end) return false
    at = found + part.length
  }
  return true
}

/** Whether any pattern fits. */
export function matchesAny(patterns: readonly string[], text: string): boolean {
  return patterns.some((pattern) => matchesPattern(pattern, text))
}
