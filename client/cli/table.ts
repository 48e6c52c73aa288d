/** The gap between two columns. */
const gap = 2
/** What a column keeps, however narrow the terminal is. */
const least = 8
/** What a column of words keeps where another can be left out instead. */
const readable = 16
/** What would say something else when cut: a moment, a number, an amount. */
const whole = /^[-$]?\d/

/** How narrow each column may become, under the words of its heading, before it says nothing any more. */
export const leastWidths = (heads: readonly string[], cells: readonly (readonly string[])[]): readonly number[] =>
  heads.map((head, i) => {
    const column = cells.map((line) => line[i]!)
    const width = longest(column)
    const keeps = column.every((text) => text === '-' || whole.test(text))
      ? width
      : Math.min(width, Math.max(least, Math.min(readable, Math.ceil(width * 0.6))))
    return Math.max(keeps, longest(head.split(' ')))
  })

const longest = (texts: readonly string[]): number => Math.max(0, ...texts.map(({ length }) => length))

const moment = /^(\d{4})-(\d\d-\d\d \d\d:\d\d):\d\dZ$/

/** The same cells with moments to the minute and without their year, where all of a column are of one. */
export function shortMoments(cells: readonly (readonly string[])[]): readonly (readonly string[])[] {
  const short = (cells[0] ?? []).map((_, i) => {
    const years = cells.map((line) => line[i]!).filter((text) => text !== '-').map((text) => moment.exec(text)?.[1])
    return years.length > 0 && years[0] !== undefined && years.every((year) => year === years[0])
  })
  return cells.map((line) => line.map((text, i) => short[i] ? text.replace(moment, '$2Z') : text))
}

/**
 * Lines of cells as aligned text, no wider than the terminal where that can be: the widest columns give way first, and
 * what is cut ends in `…`. The first column, by which people name the row, gives way last.
 *
 * @param leasts how narrow each may become while others have more
 */
export function alignColumns(
  lines: readonly (readonly string[])[],
  terminalWidth: number,
  leasts: readonly number[] = [],
): readonly string[] {
  const count = Math.max(0, ...lines.map((line) => line.length))
  const widths = Array.from({ length: count }, (_, i) => Math.max(0, ...lines.map((line) => line[i]?.length ?? 0)))
  let excess = widths.reduce((sum, width) => sum + width, gap * (count - 1)) - terminalWidth
  while (excess > 0) {
    const widest = indexOfWidest(widths, leasts)
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
  const leasts = leastWidths(heads, cells)
  let total = Math.max((heads[0] ?? '').length, ...cells.map((line) => line[0]!.length))
  const fits = heads.findIndex((_, i) => {
    if (i > 0) total += gap + leasts[i]!
    return i > 1 && total > terminalWidth
  })
  return fits === -1 ? heads.length : fits
}

function indexOfWidest(widths: readonly number[], leasts: readonly number[]): number {
  const widest = (room: (width: number, i: number) => boolean) =>
    widths.reduce((found, width, i) => i > 0 && room(width, i) && width > (widths[found] ?? 0) ? i : found, -1)
  const found = widest((width, i) => width > Math.max(least, leasts[i] ?? 0))
  if (found !== -1) return found
  const any = widest((width) => width > least)
  return any === -1 && (widths[0] ?? 0) > least ? 0 : any
}

const fit = (text: string, width: number): string =>
  text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width)

/** A sentence as lines of at most so many columns, parted between words or where told; a longer part stands alone. */
export function wrapWords(text: string, columns: number, between: string | RegExp = ' '): string[] {
  const lines: string[] = []
  for (const word of text.split(between)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
