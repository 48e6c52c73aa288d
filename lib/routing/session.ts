import { createHash } from 'node:crypto'

/** The session a request belongs to, for keeping it on the account that holds its cached prefix. */
export interface SessionKey {
  /** Hash: the caller's own names are neither stored nor logged. */
  readonly key: string
  /** What it was made of, strongest first. */
  readonly from: 'harness' | 'cache_key' | 'conversation' | 'prefix'
}

/** Where a session can be read from. */
export interface SessionSource {
  readonly headers: Headers
  /** The raw body, or `null` for requests without a JSON body. */
  readonly body: string | null
  /** Keeps two callers' sessions of one name apart. */
  readonly principal: string
}

/** Headers in which harnesses name the session, and the agent within it. */
const sessionHeaders = [
  'x-gw-session',
  'x-claude-code-session-id',
  'x-opencode-session',
  'session_id',
  'session-id',
  'conversation_id',
  'x-session-id',
  'x-session-affinity',
]
const agentHeaders = ['x-gw-agent', 'x-claude-code-agent-id', 'x-agent-id']
const maxNameLength = 255

const name = (headers: Headers, keys: readonly string[]): string | null => {
  for (const key of keys) {
    const value = headers.get(key)
    if (value) return value.slice(0, maxNameLength)
  }
  return null
}

const hash = (...parts: readonly string[]): string =>
  createHash('sha1').update(parts.join('\0')).digest('base64url').slice(0, 22)

/**
 * The session of a request, or `null` when nothing tells.
 *
 * In order: the harness's own session and agent ids, `prompt_cache_key`, a conversation or previous response, and at
 * last the prefix that a provider would cache: system, tools and the first user turn. Subagents get their own key,
 * because their prefix is another one.
 */
export function sessionOf({ headers, body, principal }: SessionSource): SessionKey | null {
  const session = name(headers, sessionHeaders)
  if (session !== null) {
    return { key: `h.${hash(principal, session, name(headers, agentHeaders) ?? '')}`, from: 'harness' }
  }
  if (body === null || body.length === 0) return null
  const cacheKey = stringField(body, 'prompt_cache_key')
  if (cacheKey !== null) return { key: `c.${hash(principal, cacheKey)}`, from: 'cache_key' }
  const conversation = stringField(body, 'conversation') ?? nestedId(body, 'conversation')
  if (conversation !== null) return { key: `v.${hash(principal, conversation)}`, from: 'conversation' }
  const previous = stringField(body, 'previous_response_id')
  if (previous !== null) return { key: responseKey(previous), from: 'conversation' }
  const prefix = prefixOf(body)
  return prefix === null ? null : { key: `p.${hash(principal, prefix)}`, from: 'prefix' }
}

/** The session key under which the issuer of a response id is remembered. */
export function responseKey(responseId: string): string {
  return `r.${hash(responseId.slice(0, maxNameLength))}`
}

const cipherMarks = ['"signature":', '"encrypted_content":', '"previous_response_id":"', '"redacted_thinking"']

/**
 * Whether a request carries something that only the account which issued it can read: signed thinking, encrypted
 * reasoning, or a response id.
 */
export function carriesCiphertext(body: string): boolean {
  return cipherMarks.some((mark) => body.includes(mark)) || /"previous_response_id"\s*:\s*"/.test(body)
}

/** A top-level string value, found without parsing the document; escapes are left as they are. */
function stringField(body: string, key: string): string | null {
  const at = topLevel(body, key)
  if (at < 0 || body.charCodeAt(at) !== 34) return null
  const end = stringEnd(body, at)
  const text = body.slice(at + 1, end)
  return text === '' ? null : text.slice(0, maxNameLength)
}

function nestedId(body: string, key: string): string | null {
  const at = topLevel(body, key)
  if (at < 0 || body.charCodeAt(at) !== 123) return null
  return stringField(body.slice(at, valueEnd(body, at)), 'id')
}

/** Longest part of one value that goes into the prefix hash: enough to tell sessions apart, bounded in cost. */
const maxPartLength = 4_096

const sample = (text: string): string =>
  text.length <= maxPartLength
    ? text
    : `${text.length}:${text.slice(0, maxPartLength / 2)}${text.slice(-maxPartLength / 2)}`

/** System, tools and the first user turn as they stand in the body, sampled; `null` when there is no such turn. */
function prefixOf(body: string): string | null {
  const parts: string[] = []
  for (const key of ['system', 'instructions', 'tools']) {
    const at = topLevel(body, key)
    if (at >= 0) parts.push(`${key}=${sample(body.slice(at, valueEnd(body, at)))}`)
  }
  let turns = topLevel(body, 'messages')
  if (turns < 0) turns = topLevel(body, 'input')
  if (turns < 0) turns = topLevel(body, 'contents')
  if (turns < 0) return null
  if (body.charCodeAt(turns) !== 91) {
    parts.push(sample(body.slice(turns, valueEnd(body, turns))))
    return parts.join('\0')
  }
  let at = skipSpace(body, turns + 1)
  for (let count = 0; count < 20 && at < body.length && body.charCodeAt(at) !== 93; count++) {
    const end = valueEnd(body, at)
    const turn = body.slice(at, end)
    parts.push(sample(turn))
    if (/"role"\s*:\s*"user"/.test(turn)) return parts.join('\0')
    at = skipSpace(body, end)
    if (body.charCodeAt(at) === 44) at = skipSpace(body, at + 1)
  }
  return parts.length > 0 ? parts.join('\0') : null
}

/** Index of the value of a top-level key, or −1. Text that is no JSON gives −1, never an error. */
function topLevel(body: string, key: string): number {
  const wanted = `"${key}"`
  if (!body.includes(wanted)) return -1
  let at = skipSpace(body, 0)
  if (body.charCodeAt(at) !== 123) return -1
  at = skipSpace(body, at + 1)
  while (at < body.length && body.charCodeAt(at) === 34) {
    const end = stringEnd(body, at)
    let value = skipSpace(body, end + 1)
    if (body.charCodeAt(value) !== 58) return -1
    value = skipSpace(body, value + 1)
    if (end - at === wanted.length - 1 && body.startsWith(wanted, at)) return value
    at = skipSpace(body, valueEnd(body, value))
    if (body.charCodeAt(at) !== 44) return -1
    at = skipSpace(body, at + 1)
  }
  return -1
}

function skipSpace(body: string, from: number): number {
  let at = from
  for (let c = body.charCodeAt(at); c === 32 || c === 10 || c === 13 || c === 9; c = body.charCodeAt(++at));
  return at
}

/** Index of the quote that ends the string which begins at `from`; the end of the text when it is cut. */
function stringEnd(body: string, from: number): number {
  for (let at = body.indexOf('"', from + 1); at >= 0; at = body.indexOf('"', at + 1)) {
    let slashes = 0
    while (body.charCodeAt(at - 1 - slashes) === 92) slashes++
    if (slashes % 2 === 0) return at
  }
  return body.length
}

/** Index after the value that begins at `from`. */
function valueEnd(body: string, from: number): number {
  const first = body.charCodeAt(from)
  if (first === 34) return stringEnd(body, from) + 1
  let at = from
  if (first !== 123 && first !== 91) {
    while (at < body.length && !',]} \n\r\t'.includes(body[at]!)) at++
    return at
  }
  let depth = 0
  for (; at < body.length; at++) {
    const c = body.charCodeAt(at)
    if (c === 34) at = stringEnd(body, at)
    else if (c === 123 || c === 91) depth++
    else if ((c === 125 || c === 93) && --depth === 0) return at + 1
  }
  return at
}
