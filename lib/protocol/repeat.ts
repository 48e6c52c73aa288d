import type { Frame, Gap } from './reframe.ts'

/** How many shapes are learned in vain before a stream is taken for one that does not repeat itself. */
const maxVain = 3

const quote = 34
const backslash = 92

/**
 * Reads an event that says what the one before it said, but for its words.
 *
 * Nearly every event of a stream is the last one with other words in it. What stood around the words of an event that was
 * parsed is kept; the next one that has the same around its own means the same, and is not parsed again.
 */
export class Repeat {
  /** The words of the event that {@link Repeat.fits}. */
  text = ''
  /** Its number, where its shape has one, or -1. */
  number = -1
  readonly #numberField: string | null
  readonly #keeps: boolean
  #frame: Frame | null = null
  /** Shapes that were learned since the last event that fitted one. */
  #vain = 0

  /**
   * @param numberField the name of a number that rises with every event
   * @param keeps whether all words are needed again at their end
   */
  constructor(numberField: string | null = null, keeps = false) {
    this.#numberField = numberField
    this.#keeps = keeps
  }

  /** What stands around the words of the learned event; `null` where there is none. */
  get frame(): Frame | null {
    return this.#frame
  }

  /** Whether an event is the learned one with other words, which are not empty. */
  fits(data: string): boolean {
    if (this.#frame === null) return false
    const { gaps, after } = this.#frame
    let at = 0
    for (const { kind, before } of gaps) {
      if (!data.startsWith(before, at)) return false
      at += before.length
      const end = kind === 'number' ? this.#readNumber(data, at) : endOfText(data, at)
      if (end < 0 || (kind === 'text' && !this.#readText(data, at, end))) return false
      at = end
    }
    if (data.length !== at + after.length || !data.endsWith(after)) return false
    this.used()
    return true
  }

  /** It was worth learning the shape. */
  used(): void {
    this.#vain = 0
  }

  /** The event of this shape means something else from now on. */
  forget(): void {
    this.#frame = null
  }

  /** Keeps the shape of an event that was parsed and said nothing but `text`, in one of these fields. */
  learn(data: string, text: string, fields: readonly string[]): void {
    if (this.#vain >= maxVain) return
    this.#vain++
    this.number = -1
    const field = fields.find((name) => data.includes(`"${name}":`))
    const start = field === undefined ? -1 : startOf(data, field)
    const words = JSON.stringify(text)
    if (start < 0 || !data.startsWith(words, start)) return
    const found: { kind: Gap['kind']; from: number; to: number }[] = [
      { kind: 'text', from: start + 1, to: start + words.length - 1 },
    ]
    if (this.#numberField !== null) {
      const from = startOf(data, this.#numberField)
      const to = from < 0 ? -1 : this.#readNumber(data, from)
      if (to >= 0) found.push({ kind: 'number', from, to })
      else if (data.includes(this.#numberField)) return
    }
    const noise = startOf(data, 'obfuscation')
    const noiseEnd = noise < 0 || data[noise] !== '"' ? -1 : endOfText(data, noise + 1)
    if (noiseEnd >= 0) found.push({ kind: 'noise', from: noise + 1, to: noiseEnd })
    if (found.length > 1) found.sort((a, b) => a.from - b.from)
    let at = 0
    // A part of a text keeps all of it in memory, which for a long stream is worth a copy.
    const gaps = found.map(({ kind, from, to }) => {
      const before = copyOf(data.slice(at, from))
      at = to
      return { kind, before }
    })
    this.#frame = { gaps, after: copyOf(data.slice(at)), keeps: this.#keeps }
  }

  #readText(data: string, from: number, to: number): boolean {
    if (from === to) return false
    const raw = data.slice(from, to)
    this.text = raw
    if (!raw.includes('\\')) return true
    try {
      this.text = JSON.parse(`"${raw}"`)
      return true
    } catch {
      return false
    }
  }

  /** Where a plain number ends; -1 when there is none. */
  #readNumber(data: string, from: number): number {
    let at = from
    let value = 0
    for (let c = data.charCodeAt(at); c >= 48 && c <= 57; c = data.charCodeAt(++at)) value = value * 10 + c - 48
    if (at === from || at - from > 15 || (data.charCodeAt(from) === 48 && at - from > 1)) return -1
    const next = data.charCodeAt(at)
    // A comma or the end of the object: neither a fraction nor an exponent.
    if (next !== 44 && next !== 125) return -1
    this.number = value
    return at
  }
}

const copyOf = (text: string): string => JSON.parse(JSON.stringify(text))

/** Where the value of a field begins that stands in an event once; -1 when it does not. */
function startOf(data: string, field: string): number {
  const name = `"${field}":`
  const at = data.indexOf(name)
  if (at < 0 || data.indexOf(name, at + name.length) >= 0) return -1
  const start = at + name.length
  return data[start] === ' ' ? start + 1 : start
}

/** Where the quote is that closes a string; -1 when it is none. */
function endOfText(data: string, from: number): number {
  let at = from
  for (;;) {
    const c = data.charCodeAt(at)
    if (c === quote) return at
    // The end of the text (NaN) too.
    if (!(c >= 32)) return -1
    at += c === backslash ? 2 : 1
  }
}
