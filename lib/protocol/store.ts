import type { Json, JsonObject } from '../base/mod.ts'
import { objectsOf, stringOf } from './read.ts'

/** One stored turn: what `previous_response_id` continues and `GET /v1/responses/{id}` shows. */
export interface StoredTurn {
  readonly id: string
  /** Who made it; nobody else may continue or read it. */
  readonly principal: string
  /** All items of the conversation, up to and including the answer. */
  readonly items: readonly JsonObject[]
  readonly response: JsonObject
  /** The upstream's name of the answer, where the upstream keeps the turn and the caller knows it by gw's name. */
  readonly upstreamId?: string
  /** Epoch ms. */
  readonly createdAt: number
}

/**
 * Where gw keeps turns for callers whose upstream keeps none. Backed by storage, given by the gateway.
 *
 * `load` gives `null` for a turn that does not exist, has expired, or is another principal's.
 */
export interface ResponseStore {
  load(id: string, principal: string): Promise<StoredTurn | null>
  /** Returns at once; the turn is kept off the path of any request. */
  save(turn: StoredTurn): void
  remove(id: string, principal: string): Promise<boolean>
}

/** A body with the conversation it continues in place of the reference to it, or with its keeper's own reference. */
export function continueTurn(body: JsonObject, turn: StoredTurn): JsonObject {
  const { previous_response_id: _, ...rest } = body
  if (turn.upstreamId !== undefined) return { ...rest, previous_response_id: turn.upstreamId }
  return { ...rest, input: [...turn.items, ...itemsOf(body.input)] }
}

/** The turn that a (continued) body and its answer make. */
export function turnOf(
  body: JsonObject,
  response: JsonObject,
  { principal, now }: { principal: string; now: number },
): StoredTurn {
  const items = [...itemsOf(body.input), ...objectsOf(response.output)]
  return { id: stringOf(response.id) ?? '', principal, items, response, createdAt: now }
}

/** The `response` of the closing event in a client's response stream, `null` for any other event. */
export function responseOfEvent(data: Json): JsonObject | null {
  const event = objectsOf([data])[0]
  if (event?.type !== 'response.completed' && event?.type !== 'response.incomplete') return null
  return objectsOf([event.response])[0] ?? null
}

function itemsOf(input: Json | undefined): JsonObject[] {
  if (typeof input !== 'string') return objectsOf(input)
  return [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: input }] }]
}
