import { Buffer } from 'node:buffer'
import { GwError, isObject } from '../base/mod.ts'

/**
 * A token in the files of Link.Assistant.Router. Times are epoch seconds.
 *
 * @see requirements of its token store: `tokens.lino` (text) and `tokens.bin` (binary)
 */
export interface RouterToken {
  readonly id: string
  readonly label: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly revoked: boolean
  readonly account: string | null
}

const header = `# Link.Assistant.Router token store
# Format: (token <id> (label "…") (issued_at <int>) (expires_at <int>) (revoked true|false) (account "…"))
`

/** The text of `tokens.lino`: one token per line, sorted by id. */
export function encodeLino(tokens: readonly RouterToken[]): string {
  const lines = sorted(tokens).map((token) =>
    `(token ${token.id} (label ${quote(token.label)}) (issued_at ${token.issuedAt}) (expires_at ${token.expiresAt}) ` +
    `(revoked ${token.revoked})${token.account === null ? '' : ` (account ${quote(token.account)})`})\n`
  )
  return header + lines.join('')
}

/**
 * The tokens of a `tokens.lino`.
 *
 * A reader of our own: the Links library reads `#` as text and knows no escapes.
 *
 * @throws GwError `config.invalid` with the line, for an unknown field or kind of record too
 */
export function decodeLino(text: string): readonly RouterToken[] {
  const tokens: RouterToken[] = []
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
  for (const [index, line] of lines.entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    const fail = (why: string): never => {
      throw new GwError('config.invalid', `tokens.lino line ${index + 1}: ${why}`)
    }
    const [link, ...rest] = readLinks(line, fail)
    if (rest.length > 0 || !Array.isArray(link)) fail('is not one record in parentheses')
    tokens.push(recordOf(link as Link[], fail))
  }
  return distinct(tokens, 'tokens.lino')
}

const magic = Buffer.from('LARTOK01', 'ascii')
/** Longest record of a `tokens.bin`; a length beyond it is a damaged file. */
const longestRecord = 1_048_576

/** The bytes of `tokens.bin`: magic, then a length (u32, little-endian) and a JSON record for each token. */
export function encodeBin(tokens: readonly RouterToken[]): Uint8Array {
  const parts: Uint8Array[] = [magic]
  for (const token of sorted(tokens)) {
    const record = Buffer.from(JSON.stringify({
      id: token.id,
      label: token.label,
      issued_at: token.issuedAt,
      expires_at: token.expiresAt,
      revoked: token.revoked,
      ...(token.account === null ? {} : { account: token.account }),
    }))
    const length = Buffer.alloc(4)
    length.writeUInt32LE(record.length)
    parts.push(length, record)
  }
  return Buffer.concat(parts)
}

/**
 * The tokens of a `tokens.bin`; a file shorter than its magic is an empty store.
 *
 * @throws GwError `config.invalid` for another magic, a cut record, or a record that is none
 */
export function decodeBin(bytes: Uint8Array): readonly RouterToken[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (file.length < magic.length) return []
  const fail = (at: number, why: string): never => {
    throw new GwError('config.invalid', `tokens.bin at byte ${at}: ${why}`)
  }
  if (!file.subarray(0, magic.length).equals(magic)) fail(0, 'does not begin with LARTOK01')
  const tokens: RouterToken[] = []
  for (let at = magic.length; at < file.length;) {
    if (at + 4 > file.length) fail(at, 'a length is cut off')
    const length = file.readUInt32LE(at)
    if (length > longestRecord || at + 4 + length > file.length) fail(at, 'a record is cut off')
    let value: unknown
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(at + 4, at + 4 + length)))
    } catch {
      fail(at, 'a record is not JSON')
    }
    if (!isObject(value)) fail(at, 'a record is not an object')
    const { id, label, issued_at, expires_at, revoked, account } = value as Record<string, unknown>
    const check = fields((why) => fail(at, why))
    tokens.push({
      id: check.id(id),
      label: check.text('label', label ?? ''),
      issuedAt: check.seconds('issued_at', issued_at),
      expiresAt: check.seconds('expires_at', expires_at),
      revoked: check.flag('revoked', revoked ?? false),
      account: account === undefined || account === null ? null : check.text('account', account),
    })
    at += 4 + length
  }
  return distinct(tokens, 'tokens.bin')
}

/** Two stores as one: where both have a token, the first counts, but a revocation in either holds. */
export function mergeTokens(
  text: readonly RouterToken[],
  binary: readonly RouterToken[],
): readonly RouterToken[] {
  const merged = new Map(binary.map((token) => [token.id, token]))
  for (const token of text) {
    merged.set(token.id, { ...token, revoked: token.revoked || merged.get(token.id)?.revoked === true })
  }
  return sorted([...merged.values()])
}

type Link = string | { readonly quoted: string } | readonly Link[]
type Fail = (why: string) => never

/** The links of one line: words, quoted texts and parentheses. */
function readLinks(line: string, fail: Fail): Link[] {
  const stack: Link[][] = [[]]
  for (let at = 0; at < line.length;) {
    const c = line[at]!
    if (c === ' ' || c === '\t') at++
    else if (c === '(') {
      if (stack.length > 8) fail('nests too deep')
      stack.push([])
      at++
    } else if (c === ')') {
      const link = stack.pop()!
      if (stack.length === 0) fail('has a ) too many')
      stack.at(-1)!.push(link)
      at++
    } else if (c === '"') {
      let text = ''
      for (at++; line[at] !== '"'; at++) {
        if (at >= line.length) fail('has a text without its closing quote')
        if (line[at] !== '\\') text += line[at]
        else text += escapes[line[++at] ?? ''] ?? fail(`has an unknown escape \\${line[at] ?? ''}`)
      }
      at++
      stack.at(-1)!.push({ quoted: text })
    } else {
      const word = /^[^ \t()"]+/.exec(line.slice(at))![0]
      stack.at(-1)!.push(word)
      at += word.length
    }
  }
  if (stack.length > 1) fail('has a ( without its )')
  return stack[0]!
}

const escapes: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', 'n': '\n', 'r': '\r', 't': '\t' }

function quote(text: string): string {
  const escaped = text.replace(/["\\\n\r\t]/g, (c) => {
    const letter = { '\n': 'n', '\r': 'r', '\t': 't' }[c] ?? c
    return `\\${letter}`
  })
  return `"${escaped}"`
}

const words = (link: Link | undefined): unknown =>
  typeof link === 'string' ? link : link && 'quoted' in link ? link.quoted : undefined

function recordOf([kind, id, ...groups]: readonly Link[], fail: Fail): RouterToken {
  if (kind !== 'token') fail(`holds an unknown kind of record: ${String(words(kind)).slice(0, 40)}`)
  const values = new Map<string, unknown>()
  for (const group of groups) {
    if (!Array.isArray(group) || group.length !== 2) return fail('has a field that is not (name value)')
    const name = String(words(group[0]))
    if (!['label', 'issued_at', 'expires_at', 'revoked', 'account'].includes(name)) {
      fail(`has an unknown field: ${name.slice(0, 40)}`)
    }
    if (values.has(name)) fail(`has ${name} twice`)
    values.set(name, words(group[1]))
  }
  const check = fields(fail)
  const number = (name: string): unknown =>
    /^\d{1,15}$/.test(String(values.get(name))) ? Number(values.get(name)) : null
  return {
    id: check.id(words(id)),
    label: check.text('label', values.get('label') ?? ''),
    issuedAt: check.seconds('issued_at', number('issued_at')),
    expiresAt: check.seconds('expires_at', number('expires_at')),
    revoked: check.flag('revoked', values.get('revoked') ?? false),
    account: values.has('account') ? check.text('account', values.get('account')) : null,
  }
}

function fields(fail: Fail) {
  return {
    id: (value: unknown): string =>
      typeof value === 'string' && /^[\w-]{1,64}$/.test(value) ? value : fail('has an id that is none'),
    text: (name: string, value: unknown): string =>
      typeof value === 'string' && value.length <= 4_096 ? value : fail(`has a ${name} that is no text`),
    seconds: (name: string, value: unknown): number =>
      typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= 1e12
        ? value
        : fail(`has no ${name} in seconds`),
    flag: (name: string, value: unknown): boolean =>
      typeof value === 'boolean'
        ? value
        : /^(true|1|yes|false|0|no)$/.test(String(value))
        ? /^(true|1|yes)$/.test(String(value))
        : fail(`has a ${name} that is neither true nor false`),
  }
}

function distinct(tokens: readonly RouterToken[], file: string): readonly RouterToken[] {
  const ids = new Set<string>()
  for (const { id } of tokens) {
    if (ids.has(id)) throw new GwError('config.invalid', `${file}: token ${id} is there twice`)
    ids.add(id)
  }
  return tokens
}

function sorted(tokens: readonly RouterToken[]): readonly RouterToken[] {
  return [...tokens].sort((a, b) => a.id < b.id ? -1 : 1)
}
