import { isObject, type Json, type JsonObject } from '../base/mod.ts'
import { estimateTokens } from './count.ts'
import type { ProtocolId } from './id.ts'
import type { Loss } from './loss.ts'

/** A body after an edit that its caller asked for, and what the edit took out. */
export interface EditedBody {
  readonly body: JsonObject
  readonly losses: readonly Loss[]
}

type TurnsField = 'messages' | 'input' | 'contents'

/** The field that holds the conversation, by protocol. */
const turnsField: Readonly<Record<ProtocolId, TurnsField>> = {
  'openai-chat': 'messages',
  'anthropic-messages': 'messages',
  'openai-responses': 'input',
  'gemini': 'contents',
}

/** No text is cut shorter than this: less of it tells a model nothing. */
const leastChars = 400
const maxCuts = 200
const gap = '\n[… left out by middle-out …]\n'

/**
 * A conversation made to fit: turns are taken out from its middle outwards, and only when the first and the last turn
 * alone are still too long are their longest texts cut, in their middles.
 *
 * System turns, the first turn and the last one stay. A tool call and its results stay or go together, because a
 * provider refuses one without the other.
 *
 * @param maxTokens by gw's estimate
 * @returns `null` when it fits as it is, or when nothing can be taken out
 * @see https://openrouter.ai/docs/features/message-transforms
 */
export function middleOut(protocol: ProtocolId, body: JsonObject, maxTokens: number): EditedBody | null {
  const field = turnsField[protocol]
  const total = estimateTokens(body).inputTokens
  if (total <= maxTokens) return null
  const turns = body[field]
  if (!Array.isArray(turns)) {
    if (typeof turns !== 'string') return null
    return cutTexts({ ...body, [field]: turns }, field, maxTokens, [])
  }
  const units = unitsOf(turns as Json[])
  const sizes = units.map((unit) => estimateTokens({ messages: unit.turns as Json[] }).inputTokens)
  const removable = units.map((_, i) => i).filter((i) => i > firstKept(units) && i < units.length - 1)
    .filter((i) => !units[i]!.system)
  const gone = new Set<number>()
  let size = total
  // The middle of what may go, then its neighbours to both sides.
  const middle = (removable.length - 1) / 2
  for (const [, i] of removable.map((i, at) => [Math.abs(at - middle), i] as const).sort((a, b) => a[0] - b[0])) {
    if (size <= maxTokens) break
    gone.add(i)
    size -= sizes[i]!
  }
  const losses = lossesOf(units, gone, field)
  const kept = units.filter((_, i) => !gone.has(i)).flatMap((unit) => unit.turns)
  const edited: JsonObject = { ...body, [field]: kept as Json }
  if (size <= maxTokens) return { body: edited, losses }
  return cutTexts(edited, field, maxTokens, losses)
}

/** Turns that stay or go together. */
interface Unit {
  readonly at: number
  readonly turns: Json[]
  readonly system: boolean
}

const roleOf = (turn: Json): unknown => isObject(turn) ? turn.role : undefined

function unitsOf(turns: readonly Json[]): Unit[] {
  const units: Unit[] = []
  for (const [at, turn] of turns.entries()) {
    const last = units.at(-1)
    if (last && belongs(turn, last.turns.at(-1)!)) last.turns.push(turn)
    else units.push({ at, turns: [turn], system: roleOf(turn) === 'system' || roleOf(turn) === 'developer' })
  }
  return units
}

/** Whether a turn cannot stand without the one before it. */
function belongs(turn: Json, before: Json): boolean {
  if (!isObject(turn)) return false
  if (turn.role === 'tool' || turn.role === 'function') return true
  if (typeof turn.type === 'string' && /_call_output$/.test(turn.type)) return true
  if (typeof turn.type === 'string' && /_call$/.test(turn.type)) {
    return isObject(before) && (before.type === 'reasoning' || /_call$/.test(String(before.type)))
  }
  if (isObject(before) && before.type === 'reasoning') return true
  if (Array.isArray(turn.parts)) return turn.parts.some((part) => isObject(part) && isResult(part as JsonObject))
  return turn.role === 'user' && Array.isArray(turn.content) &&
    turn.content.some((block) => isObject(block) && block.type === 'tool_result')
}

/** Whether a part of Gemini's holds a result. The API reads both spellings. */
const isResult = (part: JsonObject): boolean => isObject(part.functionResponse) || isObject(part.function_response)

/** What is signed as it stands, or is no text: nothing in it is cut. */
function isWhole(value: JsonObject): boolean {
  return value.type === 'thinking' || value.type === 'redacted_thinking' || value.type === 'image' ||
    value.thought === true || typeof value.thoughtSignature === 'string' || typeof value.thought_signature === 'string'
}

/** Index of the first unit that is no system turn: what the conversation is about. */
const firstKept = (units: readonly Unit[]): number => Math.max(0, units.findIndex((unit) => !unit.system))

/** One line per run of turns that is gone. */
function lossesOf(units: readonly Unit[], gone: ReadonlySet<number>, field: string): Loss[] {
  const losses: Loss[] = []
  let from = -1
  let to = -1
  const close = () => {
    if (from < 0) return
    const path = from === to ? `${field}[${from}]` : `${field}[${from}..${to}]`
    losses.push({ path, reason: 'left out of the middle so that the prompt fits, as transforms asked' })
    from = -1
  }
  for (const [i, unit] of units.entries()) {
    if (!gone.has(i)) close()
    else {
      if (from < 0) from = unit.at
      to = unit.at + unit.turns.length - 1
    }
  }
  close()
  return losses
}

/** A text inside the conversation, and how to replace it. */
interface Place {
  text: string
  readonly path: string
  readonly put: (text: string) => void
}

function cutTexts(
  body: JsonObject,
  field: TurnsField,
  maxTokens: number,
  losses: readonly Loss[],
): EditedBody | null {
  const copy = structuredClone(body)
  const places: Place[] = []
  const collect = (holder: JsonObject | Json[], key: string | number, path: string): void => {
    const value = (holder as Record<string, Json>)[key as string]
    if (typeof value === 'string') {
      const prose = key === field || typeof key === 'number' || ['content', 'text', 'output'].includes(key)
      if (!prose || value.length <= leastChars * 2) return
      places.push({ text: value, path, put: (text) => void ((holder as Record<string, Json>)[key as string] = text) })
    } else if (Array.isArray(value)) {
      for (const i of value.keys()) collect(value as Json[], i, `${path}[${i}]`)
    } else if (isObject(value)) {
      if (isWhole(value as JsonObject)) return
      for (const name of Object.keys(value)) collect(value as JsonObject, name, `${path}.${name}`)
    }
  }
  collect(copy, field, field)
  const cut = new Set<string>()
  for (let i = 0; i < maxCuts; i++) {
    const over = estimateTokens(copy).inputTokens - maxTokens
    if (over <= 0) break
    const longest = places.reduce<Place | null>((a, b) => a === null || b.text.length > a.text.length ? b : a, null)
    if (longest === null || longest.text.length <= leastChars * 2) break
    const keep = Math.max(leastChars * 2, longest.text.length - Math.max(over * 4 + gap.length, leastChars))
    const half = Math.floor((keep - gap.length) / 2)
    longest.text = `${head(longest.text, half)}${gap}${tail(longest.text, half)}`
    longest.put(longest.text)
    cut.add(longest.path)
    if (longest.text.length <= leastChars * 2) places.splice(places.indexOf(longest), 1)
  }
  const more = [...cut].map((path): Loss => ({ path, reason: 'cut in its middle so that the prompt fits' }))
  return losses.length + more.length === 0 ? null : { body: copy, losses: [...losses, ...more] }
}

/** The first characters, never half of a surrogate pair. */
function head(text: string, length: number): string {
  const code = text.charCodeAt(length - 1)
  return text.slice(0, code >= 0xd800 && code <= 0xdbff ? length - 1 : length)
}

/** The last characters, never half of a surrogate pair. */
function tail(text: string, length: number): string {
  const at = text.length - length
  const code = text.charCodeAt(at)
  return text.slice(code >= 0xdc00 && code <= 0xdfff ? at + 1 : at)
}
