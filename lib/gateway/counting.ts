import type { Deployment } from '../catalog/mod.ts'
import type { JsonObject } from '../base/mod.ts'
import type { Target } from '../accounts/mod.ts'
import {
  bedrockCountPath,
  geminiPath,
  noTokens,
  type ProtocolId,
  toBedrockCount,
  toVertex,
  type TranslatedResponse,
  type Translator,
  translator,
  type UpstreamFailure,
  upstreamFailure,
  vertexCountPath,
  vertexGeminiPrefix,
  vertexPrefix,
} from '../protocol/mod.ts'
import { controlKeys } from '../routing/mod.ts'
import type { Line } from './attempt.ts'
import { stemOf } from './call.ts'
import { betasOf, bytesOf, type Translation } from './translated.ts'

/** Protocols that count the tokens of a request, and the field in which they say how many. */
const counters: Readonly<Partial<Record<ProtocolId, string>>> = {
  'anthropic-messages': 'input_tokens',
  'gemini': 'totalTokens',
}

/** Whether a deployment can count what a caller of another protocol asks to be counted. */
export function canCount(client: ProtocolId, { protocol }: Deployment): boolean {
  return protocol === client || (client in counters && protocol in counters)
}

/**
 * Whether a refusal to count says nothing but that: not every model behind Bedrock is counted, and not every key may ask
 * for it.
 */
export function cannotCount({ envelope }: Deployment, { kind }: UpstreamFailure): boolean {
  return envelope === 'bedrock' &&
    (kind === 'invalid_request' || kind === 'forbidden' || kind === 'model_unavailable')
}

/** Of a messages body, what a count of its tokens takes. */
const countedFields = ['model', 'messages', 'system', 'tools', 'tool_choice', 'thinking'] as const

/** A count of tokens asked of a provider of another protocol: the request is translated, and so is the number. */
export function countingTranslation(target: Target, line: Line): Translation {
  const { ask, row, call, rooms } = line
  const upstream = target.deployment.protocol
  const dropped = new Set<string>(controlKeys)
  const text = new TextDecoder().decode(ask.body.bytes)
  const asked = Object.entries(JSON.parse(text) as JsonObject).filter(([name]) => !dropped.has(name))
  const exchange = translator(row.protocol, upstream, { id: stemOf(call), now: rooms.clock.now() })
  // What is only counted need not say how long its answer may be; the protocol wants to hear it all the same.
  const body = row.protocol === 'anthropic-messages'
    ? { max_tokens: 1, ...Object.fromEntries(asked) }
    : Object.fromEntries(asked)
  const sent = row.protocol === upstream
    ? { ...Object.fromEntries(asked), model: target.model }
    : exchange.request(body, { model: target.model }).body
  const { body: counted, surface, says } = questionOf(sent, target, line)
  return {
    body: bytesOf(counted),
    surface,
    framed: false,
    losses: [],
    keeps: false,
    exchange: numberExchange(exchange, says),
  }
}

/** How a target is asked to count, and in which field it says how many. */
interface Question {
  readonly body: JsonObject
  readonly surface: Translation['surface']
  readonly says: string
}

function questionOf(sent: JsonObject, target: Target, line: Line): Question {
  const { deployment: { protocol, envelope }, model } = target
  const says = counters[protocol]!
  if (protocol === 'gemini') {
    const vertex = envelope === 'vertex'
    const path = geminiPath(vertex ? '' : '/v1beta', model, 'countTokens')
    return {
      body: contentOf(sent, target, vertex),
      surface: vertex ? { path, prefix: vertexGeminiPrefix } : { path },
      says,
    }
  }
  const body = line.row.protocol === protocol ? sent : messagesOf(sent)
  switch (envelope) {
    case 'bedrock':
      return {
        body: toBedrockCount(body, betasOf(line)),
        surface: { path: bedrockCountPath(model) },
        says: 'inputTokens',
      }
    case 'vertex':
      return { body: { ...toVertex(body), model }, surface: { path: vertexCountPath, prefix: vertexPrefix }, says }
    default:
      return { body, surface: 'count_tokens', says }
  }
}

function messagesOf(body: JsonObject): JsonObject {
  return Object.fromEntries(countedFields.flatMap((name) => body[name] === undefined ? [] : [[name, body[name]]]))
}

/** On Vertex the fields stand by themselves; elsewhere what is more than contents goes in a request of its own. */
function contentOf(body: JsonObject, { model }: Target, vertex: boolean): JsonObject {
  const { contents, systemInstruction, tools } = body
  const request = {
    contents: contents!,
    ...(systemInstruction === undefined ? {} : { systemInstruction }),
    ...(tools === undefined ? {} : { tools }),
  }
  return vertex ? request : { generateContentRequest: { model: `models/${model}`, ...request } }
}

/** The translator with the number in place of an answer, which the target says in this field. */
function numberExchange(exchange: Translator, says: string): Translator {
  const { client } = exchange
  const number = (body: unknown): TranslatedResponse => {
    const said = typeof body === 'object' && body !== null ? (body as JsonObject)[says] : undefined
    const shared = { losses: [], usage: noTokens, finish: null }
    if (typeof said === 'number') return { ...shared, body: { [counters[client]!]: said }, failure: null }
    return { ...shared, body: {}, failure: upstreamFailure('malformed', 'the count of tokens holds no number') }
  }
  return { ...exchange, response: number }
}
