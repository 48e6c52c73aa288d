import type { Json, JsonObject } from '../base/mod.ts'

/** A count of tokens, and whether an upstream or gw made it. */
export interface TokenEstimate {
  readonly inputTokens: number
  readonly estimated: boolean
}

/** What a picture or a page of a document costs about, in the absence of its dimensions. */
const mediaTokens = 1500

/**
 * An estimate of the tokens in a body of any protocol, marked as one: for each text the greater of its words and a
 * quarter of its characters, and a flat figure for media.
 */
export function estimateTokens(body: JsonObject): TokenEstimate {
  let tokens = 0
  const walk = (value: Json | undefined, key: string): void => {
    if (typeof value === 'string') tokens += isMedia(value, key) ? mediaTokens : textTokens(value)
    else if (Array.isArray(value)) { for (const item of value) walk(item as Json, key) }
    else if (typeof value === 'object' && value !== null) {
      for (const name in value) walk((value as JsonObject)[name], name)
    }
  }
  for (const key of ['system', 'instructions', 'messages', 'input', 'tools', 'contents', 'systemInstruction']) {
    walk(body[key], key)
  }
  return { inputTokens: Math.max(1, tokens), estimated: true }
}

function isMedia(value: string, key: string): boolean {
  return value.length > 512 && (key === 'data' || value.startsWith('data:'))
}

function textTokens(text: string): number {
  const words = text.match(/\S+/g)?.length ?? 0
  return Math.max(words, Math.ceil(text.length / 4))
}
