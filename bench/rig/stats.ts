/** The value below which a share of the values lies; NaN when there are none. Does not change its input. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return NaN
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

/** The median; NaN when there are no values. */
export function median(values: readonly number[]): number {
  return percentile(values.filter((value) => !Number.isNaN(value)), 0.5)
}

/** A table as plain text, columns aligned; numbers to the right. */
export function table(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const text = [heads.map(String), ...rows.map((row) => row.map(show))]
  const widths = heads.map((_, i) => Math.max(...text.map((row) => row[i]!.length)))
  return text.map((row, r) =>
    row.map((cell, i) =>
      r > 0 && typeof rows[r - 1]![i] === 'number' ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)
    )
      .join('  ').trimEnd()
  ).join('\n')
}

function show(value: string | number): string {
  if (typeof value === 'string') return value
  if (Number.isNaN(value)) return '–'
  const size = Math.abs(value)
  return size >= 1000
    ? Math.round(value).toLocaleString('en')
    : size >= 100
    ? value.toFixed(0)
    : value.toFixed(size >= 10 ? 1 : 2)
}
