import { editDistance } from '../base/mod.ts'

const most = 5

/** The ids that a reader may have meant, five at most: the closest spellings first, then those that contain the text. */
export function nearestModels(text: string, ids: Iterable<string>): string[] {
  const wanted = text.toLowerCase().slice(0, 128)
  const limit = Math.max(2, Math.floor(wanted.length / 3))
  const scored: { id: string; score: number }[] = []
  for (const id of ids) {
    const bare = id.slice(id.lastIndexOf('/') + 1).toLowerCase()
    const whole = id.toLowerCase()
    let score = Math.min(editDistance(wanted, bare, limit), editDistance(wanted, whole, limit))
    if (score > limit && wanted.length >= 3 && whole.includes(wanted)) score = limit + 0.5
    if (score <= limit + 0.5) scored.push({ id, score })
  }
  scored.sort((a, b) => a.score - b.score || (a.id < b.id ? -1 : 1))
  return scored.slice(0, most).map(({ id }) => id)
}
