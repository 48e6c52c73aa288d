import { GwError, type JsonObject } from '../base/mod.ts'
import { type Principal, requireScope } from '../access/mod.ts'
import { continueTurn, type ResponseStore, turnOf } from '../protocol/mod.ts'
import { jsonBody } from './body.ts'
import type { Call } from './call.ts'
import type { Ask, Rooms } from './seams.ts'

/** What a caller gets who names a turn that is not there, or is not its own. */
const unknownTurn = (id: string): GwError =>
  new GwError('request.not_found', `Previous response with id '${id.slice(0, 100)}' not found.`, {
    param: 'previous_response_id',
    hint: 'send the whole conversation as input',
  })

/** The response that a request continues, or `null`. */
function previousOf({ surface, body }: Pick<Ask, 'surface' | 'body'>): string | null {
  if (surface !== 'responses' || !body.has('previous_response_id')) return null
  const id = body.field('previous_response_id')
  return typeof id === 'string' && id !== '' ? id : null
}

/**
 * The request with the conversation that it continues in place of the reference to it, where gw keeps that conversation.
 * A reference that gw does not know stays: it may be the upstream's own.
 *
 * @throws GwError `request.too_large` when the whole conversation is more than one request may hold
 */
export async function continued(ask: Ask, rooms: Pick<Rooms, 'turns' | 'limits'>): Promise<Ask> {
  const id = previousOf(ask)
  if (id === null || rooms.turns === null) return ask
  const turn = await rooms.turns.load(id, ask.principal.id)
  if (turn === null) return ask
  const body = continueTurn(ask.body.parsed(), turn)
  const bytes = new TextEncoder().encode(JSON.stringify(body))
  if (bytes.length > rooms.limits.bodyBytes) {
    throw new GwError('request.too_large', 'the conversation is larger than one request may be', {
      param: 'previous_response_id',
    })
  }
  return turn.upstreamId === undefined
    ? { ...ask, body: jsonBody(bytes), continues: id }
    : { ...ask, body: jsonBody(bytes) }
}

/** Nothing when an upstream that keeps no turns can be asked: what it would continue is in the request. */
export function assertWhole(body: JsonObject): void {
  if (typeof body.previous_response_id === 'string') throw unknownTurn(body.previous_response_id)
}

/** Keeps the turn that a request and its answer make. */
export function keepTurn(ask: Ask, response: JsonObject, turns: ResponseStore): void {
  turns.save(turnOf(ask.body.parsed(), response, { principal: ask.principal.id, now: ask.at }))
}

/** Keeps the upstream's name of an answer that its caller knows by gw's name, so that it can be continued. */
export function keepName(ask: Ask, response: JsonObject, upstreamId: string, turns: ResponseStore): void {
  if (response.store === false || ask.body.field('store') === false) return
  const { id } = response
  turns.save({
    id: typeof id === 'string' ? id : '',
    principal: ask.principal.id,
    items: [],
    response,
    upstreamId,
    createdAt: ask.at,
  })
}

/**
 * `GET` and `DELETE /v1/responses/{id}`, for the turns that gw keeps.
 *
 * @throws GwError `request.not_found`, also for the turns of others; `request.method_not_allowed`
 */
export async function storedTurn(call: Call, id: string, rooms: Rooms): Promise<Response> {
  const principal: Principal = await rooms.access.authenticate(call.headers, call.peer)
  requireScope(principal, 'write')
  const missing = new GwError('request.not_found', `Response with id '${id.slice(0, 100)}' not found.`, {
    hint: 'send the whole conversation instead',
  })
  if (call.method === 'DELETE') {
    if (!await rooms.turns?.remove(id, principal.id)) throw missing
    return answer(call, { id, object: 'response', deleted: true })
  }
  if (call.method !== 'GET') throw new GwError('request.method_not_allowed', `${call.path} takes GET and DELETE`)
  const turn = await rooms.turns?.load(id, principal.id)
  if (!turn) throw missing
  return answer(call, turn.response)
}

function answer(call: Call, body: JsonObject): Response {
  return new Response(JSON.stringify(body), {
    headers: { 'content-type': 'application/json', 'x-gw-request-id': call.id },
  })
}
