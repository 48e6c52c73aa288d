/** Edit distance of two texts, given up (as `limit + 1`) once it must be larger than `limit`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    let best = i
    for (let j = 1; j <= b.length; j++) {
      const cost = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1))
      next.push(cost)
      if (cost < best) best = cost
    }
    if (best > limit) return limit + 1
    row = next
  }
  return row[b.length]!
}

/** Up to `count` ids that a reader may have meant: the closest spellings first, then those that contain the text. */
export function nearest(text: string, ids: Iterable<string>, count = 5): string[] {
  const wanted = text.toLowerCase().slice(0, 128)
  const limit = Math.max(2, Math.floor(wanted.length / 3))
  const scored: { id: string; score: number }[] = []
  for (const id of ids) {
    const bare = id.slice(id.lastIndexOf('/') + 1).toLowerCase()
    const whole = id.toLowerCase()
    let score = Math.min(distance(wanted, bare, limit), distance(wanted, whole, limit))
    if (score > limit && wanted.length >= 3 && whole.includes(wanted)) score = limit + 0.5
    if (score <= limit + 0.5) scored.push({ id, score })
  }
  scored.sort((a, b) => a.score - b.score || (a.id < b.id ? -1 : 1))
  return scored.slice(0, count).map(({ id }) => id)
}
