/** The gap between two columns. */
const gap = 2
/** What a column keeps, however narrow the terminal is. */
const least = 8

/**
 * Lines of cells as aligned text, no wider than the terminal where that can be: the widest columns give way first, and
 * what is cut ends in `…`. The first column, by which people name the row, gives way last.
 */
export function alignColumns(lines: readonly (readonly string[])[], terminalWidth: number): readonly string[] {
  const count = Math.max(0, ...lines.map((line) => line.length))
  const widths = Array.from({ length: count }, (_, i) => Math.max(0, ...lines.map((line) => line[i]?.length ?? 0)))
  let excess = widths.reduce((sum, width) => sum + width, gap * (count - 1)) - terminalWidth
  while (excess > 0) {
    const widest = indexOfWidest(widths)
    if (widest === -1) break
    widths[widest]!--
    excess--
  }
  return lines.map((line) => line.map((text, i) => fit(text, widths[i]!)).join(' '.repeat(gap)).trimEnd())
}

/**
 * How many columns have room beside a whole first one, none of them narrower than it may be; two at the least. The first
 * line has the headings, whose words may stand above each other.
 */
export function columnsThatFit(lines: readonly (readonly string[])[], terminalWidth: number): number {
  const [heads = [], ...cells] = lines
  const widths = heads.map((head, i) =>
    Math.max(
      ...(i === 0 ? [head] : head.split(' ')).map(({ length }) => length),
      ...cells.map((line) => line[i]!.length),
    )
  )
  let total = widths[0] ?? 0
  const fits = widths.findIndex((width, i) => {
    if (i > 0) total += gap + Math.min(width, least)
    return i > 1 && total > terminalWidth
  })
  return fits === -1 ? widths.length : fits
}

function indexOfWidest(widths: readonly number[]): number {
  let found = -1
  for (let i = 1; i < widths.length; i++) {
    if (widths[i]! > least && (found === -1 || widths[i]! > widths[found]!)) found = i
  }
  return found === -1 && (widths[0] ?? 0) > least ? 0 : found
}

const fit = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width)

/** A sentence as lines of at most so many columns; a longer word stands alone. */
export function wrapWords(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
