/** A tool as the search sees it. */
export interface SearchableTool {
  readonly name: string
  readonly description: string
}

/**
 * The tools that fit a query best, best first: words in the name count four times as much as in the description, rare
 * words more than common ones. Ties keep the order given, so that the same query gives the same list.
 */
export function searchTools<T extends SearchableTool>(tools: readonly T[], query: string, limit: number): T[] {
  const words = [...new Set(wordsOf(query))]
  if (words.length === 0) return tools.slice(0, limit)
  const documents = tools.map((tool) => ({ name: wordsOf(tool.name), text: wordsOf(tool.description) }))
  const weight = words.map((word) => {
    const holders = documents.filter(({ name, text }) => hits(name, word) + hits(text, word) > 0).length
    return Math.log(1 + (tools.length - holders + 0.5) / (holders + 0.5))
  })
  return tools
    .map((tool, i) => {
      const { name, text } = documents[i]!
      const score = words.reduce((sum, word, w) => {
        const count = 4 * hits(name, word) + Math.min(3, hits(text, word))
        return sum + weight[w]! * (count / (count + 1.2))
      }, 0)
      return { tool, score, i }
    })
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || a.i - b.i)
    .slice(0, limit)
    .map(({ tool }) => tool)
}

function wordsOf(text: string): string[] {
  return text.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []
}

/** How often a word stands there, also as the beginning of a longer one (`issue` in `issues`). */
function hits(words: readonly string[], word: string): number {
  return words.reduce(
    (sum, other) => sum + (other === word ? 1 : word.length > 2 && other.startsWith(word) ? 0.7 : 0),
    0,
  )
}
