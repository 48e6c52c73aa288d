/**
 * The candidates a mistyped word may have meant, best first: those within a third of its length in edits, or that begin
 * with it. Case does not count.
 *
 * @param limit how many to give at most
 * @example nearest('tokns', ['tokens', 'models']) // ['tokens']
 */
export function nearest(word: string, candidates: Iterable<string>, limit = 3): string[] {
  const asked = word.slice(0, 128).toLowerCase()
  const allowed = Math.max(1, Math.floor(asked.length / 3))
  const scored: { candidate: string; distance: number }[] = []
  for (const candidate of new Set(candidates)) {
    const other = candidate.slice(0, 128).toLowerCase()
    const begins = asked.length >= 3 && (other.startsWith(asked) || other.endsWith(asked))
    const distance = begins ? 0 : editDistance(asked, other, allowed)
    if (distance <= allowed) scored.push({ candidate, distance })
  }
  scored.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1))
  return scored.slice(0, limit).map((entry) => entry.candidate)
}

/**
 * Edits between two words: insert, delete, replace, or swap two neighbours (optimal string alignment). Given up, as
 * `limit + 1`, once it must be more than `limit`.
 */
export function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, before[j - 2]! + 1)
      row.push(cost)
    }
    if (Math.min(...row) > limit && Math.min(...last) > limit) return limit + 1
    before = last
    last = row
  }
  return last[b.length]!
}
