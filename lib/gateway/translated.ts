import type { Target } from '../accounts/mod.ts'
import { GwError, type JsonObject } from '../base/mod.ts'
import {
  applyQuirks,
  bedrockPath,
  estimateTokens,
  type Loss,
  mayEdit,
  packedMarks,
  type ProtocolId,
  quirkNames,
  refuseLosses,
  toBedrock,
  toVertex,
  type Translator,
  translator,
  vertexPath,
  vertexPrefix,
} from '../protocol/mod.ts'
import { controlKeys } from '../routing/mod.ts'
import type { Field, Surface, UpstreamPath } from '../upstream/mod.ts'
import type { AnswerField } from './answer.ts'
import type { Line } from './attempt.ts'
import { stemOf } from './call.ts'
import { countingTranslation } from './counting.ts'
import { geminiTranslation } from './gemini.ts'
import { assertWhole } from './turns.ts'

/** What one target of another protocol, or of a dialect of its own, is sent, and how its answer is read. */
export interface Translation {
  readonly body: Uint8Array<ArrayBuffer>
  readonly surface: Surface | UpstreamPath
  /** Whether the answer is a stream in AWS's binary frames. */
  readonly framed: boolean
  readonly losses: readonly Loss[]
  /** Whether the upstream was asked for an event stream, whatever the caller asked for. */
  readonly streams?: boolean
  /** Whether gw keeps the turn, as its upstream does not. */
  readonly keeps: boolean
  /** Reads the answer; `null` when its bytes are the caller's own protocol and need no reading. */
  readonly exchange: Translator | null
}

/** The path on which each protocol is asked for an answer. */
const surfaceOf: Readonly<Record<ProtocolId, Surface>> = {
  'openai-chat': 'chat',
  'openai-responses': 'responses',
  'anthropic-messages': 'messages',
  gemini: 'generate',
}

/** The header by which a caller refuses what cannot be carried over whole. */
const strictHeader = 'x-gw-strict'

/** Whether anything is left to translate: only what models answer is. */
export const translated: ReadonlySet<string> = new Set(['chat', 'responses', 'messages', 'generate'])

/**
 * The request for a target, translated where it must be; `null` when the caller's own bytes will do.
 *
 * @throws GwError `request.invalid` with the JSON path, `request.lossy` in strict mode, `request.unsupported` for what
 * is no conversation
 */
export function translateFor(target: Target, line: Line): Translation | null {
  const { envelope, protocol } = target.deployment
  if (line.row.surface === 'count_tokens' && (protocol !== line.row.protocol || (envelope && protocol !== 'gemini'))) {
    return countingTranslation(target, line)
  }
  if (protocol === 'gemini') return geminiTranslation(target, line, plainTranslation(target, line))
  if (envelope !== 'bedrock' && envelope !== 'vertex') return plainTranslation(target, line)
  const plain = plainTranslation(target, line)
  const text = new TextDecoder().decode(plain?.body ?? line.ask.body.rewrite(target.model))
  return inEnvelope(envelope, JSON.parse(text) as JsonObject, target, line, plain)
}

/** A messages body in the envelope of a cloud. */
function inEnvelope(
  envelope: 'bedrock' | 'vertex',
  body: JsonObject,
  target: Target,
  line: Line,
  plain: Translation | null,
): Translation {
  const stream = body.stream === true
  const { wrapped } = line.ask
  // The same envelope on both sides: the same bytes.
  const untouched = plain === null && line.row.envelope?.cloud === envelope ? wrapped?.bytes : undefined
  const shared = { losses: plain?.losses ?? [], exchange: plain?.exchange ?? null, keeps: plain?.keeps ?? false }
  if (envelope === 'vertex') {
    const surface = { path: vertexPath(target.model, stream), prefix: vertexPrefix }
    return { ...shared, body: untouched ?? bytesOf(toVertex(body)), surface, framed: false }
  }
  const surface = { path: bedrockPath(target.model, stream) }
  return { ...shared, body: untouched ?? bytesOf(toBedrock(body, betasOf(line))), surface, framed: stream }
}

/** The beta flags of a caller, from its header and from the envelope of a cloud. */
export function betasOf({ call, ask: { wrapped } }: Line): readonly string[] {
  const named = (call.headers.get('anthropic-beta') ?? '').split(',').map((flag) => flag.trim()).filter(Boolean)
  return [...new Set([...named, ...wrapped?.betas ?? []])]
}

function plainTranslation(target: Target, line: Line): Translation | null {
  const { ask, row, call, rooms } = line
  const upstream = target.deployment.protocol
  const named = rooms.directory.provider(target.provider)?.quirks ?? []
  const quirks = named.filter((name) => (quirkNames as readonly string[]).includes(name))
  const same = upstream === row.protocol
  const packed = same && packedMarks.some((mark) => ask.body.mentions(mark))
  if (
    same &&
    (!translated.has(row.surface) || (!packed && !mayEdit(upstream, quirks, (field) => ask.body.has(field))))
  ) return null
  if (!translated.has(row.surface)) {
    throw new GwError(
      'request.unsupported',
      `${target.key} speaks ${upstream}, and ${row.surface} is not translated to it`,
    )
  }
  const body = withoutControls(ask.body.parsed(), line)
  const strict = /^(1|true|yes)$/i.test(call.headers.get(strictHeader) ?? '')
  const forgets = row.surface === 'responses' && (!same || quirks.some((name) => forgetful.has(name)))
  if (forgets) assertWhole(body)
  const keeps = forgets && rooms.turns !== null && body.store !== false
  if (same && !keeps && !packed) return editFor(target, line, body, quirks, strict)
  const echo = { ...(keeps ? { store: true } : {}), ...(ask.continues ? { previous_response_id: ask.continues } : {}) }
  const exchange = exchangeFor(target, line, quirks, strict, echo)
  // What gw keeps, the upstream need not: it is no loss that it cannot.
  const { store: _, ...rest } = body
  const edited = exchange.request(keeps ? rest : body, {
    model: target.model,
    maxOutputTokens: rooms.translation?.maxOutputTokens(target) ?? null,
    ...streamWish(quirks),
  })
  return {
    body: bytesOf(edited.body),
    surface: same ? row.surface : surfaceOf[upstream],
    framed: false,
    streams: edited.body.stream === true,
    losses: edited.losses,
    keeps,
    exchange: same && !keeps && ask.stream === (edited.body.stream === true) ? null : exchange,
  }
}

/** The caller's own body with the edits of its upstream's dialect; `null` when there are none. */
function editFor(
  target: Target,
  line: Line,
  body: JsonObject,
  quirks: readonly string[],
  strict: boolean,
): Translation | null {
  const { row, ask } = line
  const losses: Loss[] = []
  const renamed = { ...body, model: target.model }
  const edited = applyQuirks(row.protocol, renamed, quirks, (path, reason) => void losses.push({ path, reason }))
  if (JSON.stringify(edited) === JSON.stringify(renamed)) return null
  if (strict) refuseLosses(losses)
  const turned = ask.stream !== (edited.stream === true)
  const exchange = turned ? exchangeFor(target, line, quirks, false) : null
  exchange?.request(body, { model: target.model, stream: true })
  const streams = edited.stream === true
  return { body: bytesOf(edited), surface: row.surface, framed: false, streams, losses, exchange, keeps: false }
}

/** Dialects of the responses protocol that store nothing. */
const forgetful: ReadonlySet<string> = new Set(['codex-backend', 'no-store'])

/** Some upstreams only stream, whatever the caller wants. */
function streamWish(quirks: readonly string[]): { stream?: boolean } {
  return quirks.includes('codex-backend') ? { stream: true } : {}
}

/** The translator of one try at one target. */
export function exchangeFor(
  target: Target,
  { call, row, rooms }: Line,
  quirks: readonly string[],
  strict: boolean,
  echo: JsonObject = {},
): Translator {
  return translator(row.protocol, target.deployment.protocol, {
    id: stemOf(call),
    now: rooms.clock.now(),
    quirks,
    strict,
    echo,
    autoCache: rooms.translation?.autoCache === true,
    maxKept: rooms.limits.replyBytes,
  })
}

/** The body without the fields that gw's routing reads, where the plan has any. */
export function withoutControls(body: JsonObject, { plan }: Line): JsonObject {
  if (!plan.controls) return body
  const dropped = new Set<string>(controlKeys)
  return Object.fromEntries(Object.entries(body).filter(([name]) => !dropped.has(name)))
}

/** A body as JSON bytes. */
export function bytesOf(body: JsonObject): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(body))
}

/** Header fields that mean something to the caller's own protocol alone. */
const dialectFields = /^(anthropic-|openai-|x-stainless-|x-claude-code-|x-codex-|originator$|version$|x-app$)/

/** The caller's header fields without those of its own protocol, for an upstream of another. */
export function plainHeaders(fields: readonly Field[]): Field[] {
  return fields.filter(([name]) => !dialectFields.test(name))
}

/** The most that the list of losses takes of an answer's head. */
const maxLossBytes = 2048

/** `x-gw-losses`: the paths of what was left out, as far as they fit. */
export function lossFields(losses: readonly Loss[]): AnswerField[] {
  if (losses.length === 0) return []
  const paths = losses.map(({ path }) => path.replace(/[^\x20-\x7e]/g, '?'))
  let text = paths.join(', ')
  if (text.length > maxLossBytes) text = `${text.slice(0, text.lastIndexOf(',', maxLossBytes))}, … (${paths.length})`
  return [['x-gw-losses', text.replace('…', '...')]]
}

/** A count of tokens where the upstream has no such surface: gw's estimate, marked as one. */
export function estimatedCount(line: Line): Response {
  const body = JSON.parse(new TextDecoder().decode(line.ask.body.bytes)) as JsonObject
  const { inputTokens } = estimateTokens(body)
  const counted = line.row.protocol === 'gemini' ? { totalTokens: inputTokens } : { input_tokens: inputTokens }
  return new Response(JSON.stringify(counted), {
    headers: { 'content-type': 'application/json', 'x-gw-estimated': 'true', 'x-gw-request-id': line.call.id },
  })
}
