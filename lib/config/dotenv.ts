/** A variable of a `.env` or `.lenv` file, and the line it stands on. */
export interface FileVariable {
  readonly name: string
  readonly value: string
  readonly line: number
}

/** Lines that are neither blank, comment nor assignment. */
export interface FileFault {
  readonly line: number
  readonly reason: string
}

/** What a variables file holds. */
export interface FileVariables {
  readonly variables: readonly FileVariable[]
  readonly faults: readonly FileFault[]
}

/**
 * Reads `.env` (`KEY=value`) or `.lenv` (`KEY: value`) text.
 *
 * Blank lines and `#` lines are skipped, `export ` before a name is allowed, values may be quoted and may hold the
 * separator again, as URLs do. A later line wins. Nothing is interpolated and no line continues on the next.
 */
export function readVariables(text: string, separator: '=' | ':'): FileVariables {
  const variables = new Map<string, FileVariable>()
  const faults: FileFault[] = []
  text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/).forEach((raw, index) => {
    const line = index + 1
    const content = raw.trim()
    if (content === '' || content.startsWith('#')) return
    const at = content.indexOf(separator)
    const name = at < 0 ? content : content.slice(0, at).replace(/^export\s+/, '').trim()
    if (at < 0 || !/^[A-Za-z_]\w*$/.test(name)) {
      faults.push({ line, reason: `expected NAME${separator}value` })
      return
    }
    variables.set(name, { name, value: unquote(content.slice(at + 1).trim()), line })
  })
  return { variables: [...variables.values()], faults }
}

function unquote(value: string): string {
  const quote = value[0]
  if (quote !== '"' && quote !== "'") return value.replace(/\s+#.*$/, '')
  const end = value.lastIndexOf(quote)
  if (end <= 0) return value
  const inner = value.slice(1, end)
  return quote === "'" ? inner : inner.replace(/\\([nrt"\\])/g, (_, c: string) => escapes[c] ?? c)
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
