import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { isObject } from '../base/mod.ts'
import type { Span } from '../protocol/mod.ts'
import { contains, type RouteBody } from './body.ts'

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
  /** `null` for requests without a JSON body. */
  readonly body: RouteBody | null
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

function name(headers: Headers, keys: readonly string[]): string | null {
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
 * In order: the harness's own session and agent ids, `prompt_cache_key`, a previous response or conversation, and at
 * last the prefix that a provider would cache: system, tools and the first user turn. Subagents get their own key,
 * because their prefix is another one.
 */
export function sessionOf({ headers, body, principal }: SessionSource): SessionKey | null {
  const session = name(headers, sessionHeaders)
  if (session !== null) {
    return { key: `h.${hash(principal, session, name(headers, agentHeaders) ?? '')}`, from: 'harness' }
  }
  if (body === null) return null
  const cacheKey = text(body.field('prompt_cache_key'))
  if (cacheKey !== null) return { key: `c.${hash(principal, cacheKey)}`, from: 'cache_key' }
  const previous = text(body.field('previous_response_id'))
  if (previous !== null) return { key: responseKey(previous), from: 'conversation' }
  const conversation = body.field('conversation')
  const id = text(conversation) ?? (isObject(conversation) ? text(conversation.id) : null)
  if (id !== null) return { key: `v.${hash(principal, id)}`, from: 'conversation' }
  return prefixKey(body, principal)
}

const text = (value: unknown): string | null =>
  typeof value === 'string' && value !== '' ? value.slice(0, maxNameLength) : null

/** The session key under which the issuer of a response id is remembered. */
export function responseKey(responseId: string): string {
  return `r.${hash(responseId.slice(0, maxNameLength))}`
}

/** Where each kind of ciphertext stands, and how it shows. */
const ciphers = [
  ['messages', '"signature"'],
  ['messages', '"redacted_thinking"'],
  ['messages', '"encrypted_content"'],
  ['input', '"encrypted_content"'],
  ['contents', '"thoughtSignature"'],
] as const

/**
 * Whether a request carries something that only the account which issued it can read: signed thinking, encrypted
 * reasoning, or a response id.
 */
export function carriesCiphertext(body: RouteBody): boolean {
  if (text(body.field('previous_response_id')) !== null) return true
  return ciphers.some(([field, mark]) => {
    const span = body.span(field)
    return span !== undefined && contains(body.bytes, span, mark)
  })
}

/** Longest part of one value that goes into the prefix hash: enough to tell sessions apart, bounded in cost. */
const maxPartBytes = 4_096
/** Turns looked at for the first of the user's. */
const maxTurns = 20

/** System, tools and the first user turn as they stand in the body, sampled; `null` when there is no such turn. */
function prefixKey(body: RouteBody, principal: string): SessionKey | null {
  const digest = createHash('sha1').update(principal)
  const add = (label: string, { start, end }: Span): void => {
    digest.update(`\0${label} ${end - start} `)
    if (end - start <= maxPartBytes) digest.update(body.bytes.subarray(start, end))
    else {
      digest.update(body.bytes.subarray(start, start + maxPartBytes / 2))
      digest.update(body.bytes.subarray(end - maxPartBytes / 2, end))
    }
  }
  const turns = body.span('messages') ?? body.span('input') ?? body.span('contents')
  if (!turns) return null
  for (const field of ['system', 'instructions', 'tools', 'systemInstruction']) {
    const span = body.span(field)
    if (span) add(field, span)
  }
  for (const turn of openingTurns(body.bytes, turns)) add('turn', turn)
  return { key: `p.${digest.digest('base64url').slice(0, 22)}`, from: 'prefix' }
}

/** The turns up to and with the first of the user's; a text instead of turns is one turn. */
function openingTurns(bytes: Uint8Array, turns: Span): Span[] {
  const found: Span[] = []
  if (bytes[turns.start] !== 91) return [turns]
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let depth = 0
  let start = -1
  for (let at = turns.start + 1; at < turns.end && found.length < maxTurns; at++) {
    const c = bytes[at]!
    if (c === 34) at = stringEnd(view, at)
    else if (c === 123 || c === 91) {
      if (depth++ === 0) start = at
    } else if (c === 125 || c === 93) {
      if (--depth !== 0) continue
      const turn = { start, end: at + 1 }
      found.push(turn)
      if (isUserTurn(bytes, turn)) return found
    }
  }
  return found
}

const isUserTurn = (bytes: Uint8Array, turn: Span): boolean =>
  contains(bytes, turn, '"role":"user"') || contains(bytes, turn, '"role": "user"')

/** Index of the quote that ends the string which begins at `from`. The body was checked before: it does end. */
function stringEnd(view: Buffer, from: number): number {
  // Prompts are long strings: the native search skips them whole.
  for (let at = view.indexOf(34, from + 1); at >= 0; at = view.indexOf(34, at + 1)) {
    let slashes = 0
    while (view[at - 1 - slashes] === 92) slashes++
    if (slashes % 2 === 0) return at
  }
  return view.length
}
