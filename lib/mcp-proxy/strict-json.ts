import { GwError, type Json } from '../base/mod.ts'

/** Limits of a message that policy has to see whole. */
export interface StrictLimits {
  readonly maxChars: number
  readonly maxDepth: number
}

/**
 * Parses JSON the way policy needs it: one reading only.
 *
 * Two parsers that disagree about `{"name":"safe","name":"drop_table"}` are a way around any rule, so a repeated key is
 * refused, also when one of them is spelled with escapes. So are `__proto__`, lone surrogates and anything after the
 * value.
 *
 * @throws GwError `request.invalid` with the position of what is wrong
 * @see RFC 8259 §4 (names within an object SHOULD be unique)
 */
export function parseStrictJson(text: string, limits: StrictLimits): Json {
  if (text.length > limits.maxChars) {
    throw new GwError('request.too_large', `message is larger than ${limits.maxChars} characters`)
  }
  let at = 0

  const fail = (why: string): never => {
    throw new GwError('request.invalid', `message is not acceptable JSON at character ${at}: ${why}`)
  }
  const space = () => {
    for (let c = text.charCodeAt(at); c === 32 || c === 10 || c === 13 || c === 9; c = text.charCodeAt(++at));
  }

  function value(depth: number): Json {
    if (depth > limits.maxDepth) fail(`nests deeper than ${limits.maxDepth} levels`)
    space()
    const c = text[at]
    if (c === '{') return object(depth)
    if (c === '[') return array(depth)
    if (c === '"') return string()
    for (const [word, meaning] of [['true', true], ['false', false], ['null', null]] as const) {
      if (text.startsWith(word, at)) {
        at += word.length
        return meaning
      }
    }
    return number()
  }

  function object(depth: number): Json {
    const out: Record<string, Json> = {}
    const seen = new Set<string>()
    at++
    space()
    if (text[at] === '}') {
      at++
      return out
    }
    for (;;) {
      space()
      if (text[at] !== '"') fail('a key is expected')
      const key = string()
      if (seen.has(key)) fail(`the key ${JSON.stringify(key)} stands twice`)
      if (key === '__proto__') fail('the key "__proto__" is not accepted')
      seen.add(key)
      space()
      if (text[at++] !== ':') fail('a colon is expected')
      out[key] = value(depth + 1)
      space()
      const next = text[at++]
      if (next === '}') return out
      if (next !== ',') fail('a comma or a closing brace is expected')
    }
  }

  function array(depth: number): Json {
    const out: Json[] = []
    at++
    space()
    if (text[at] === ']') {
      at++
      return out
    }
    for (;;) {
      out.push(value(depth + 1))
      space()
      const next = text[at++]
      if (next === ']') return out
      if (next !== ',') fail('a comma or a closing bracket is expected')
    }
  }

  function string(): string {
    const start = at++
    for (;; at++) {
      const c = text.charCodeAt(at)
      if (Number.isNaN(c)) fail('a string does not end')
      if (c < 32) fail('a control character stands in a string')
      if (c === 92) at++
      else if (c === 34) break
    }
    at++
    let out = ''
    try {
      out = JSON.parse(text.slice(start, at)) as string
    } catch {
      fail('a string has a bad escape')
    }
    if (!out.isWellFormed()) fail('a string holds half a character')
    return out
  }

  function number(): Json {
    const match = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
    match.lastIndex = at
    const found = match.exec(text)
    if (!found) fail('a value is expected')
    at += found![0].length
    return Number(found![0])
  }

  const result = value(0)
  space()
  if (at !== text.length) fail('text follows the message')
  return result
}
