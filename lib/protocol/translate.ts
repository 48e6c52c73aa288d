import { GwError, type JsonObject, sseParser } from '../base/mod.ts'
import type { Call, DecodedResponse, Protocol } from './codec.ts'
import { createCollector, replay } from './collect.ts'
import type { InferenceEvent, InferenceResponse } from './event.ts'
import { type UpstreamFailure, upstreamFailure } from './failure.ts'
import type { FinishReason } from './finish.ts'
import { withSearchAsTool } from './hosted.ts'
import type { ProtocolId } from './id.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { endLosses, type Loss } from './loss.ts'
import { protocolOf } from './protocols.ts'
import { applyQuirks } from './quirks.ts'
import { repairCalls } from './repair.ts'
import type { InferenceRequest, ToolNamespace } from './request.ts'
import { createRestorer, type Restorer } from './restore.ts'
import { type ToolIds, toolIds, type ToolNames, toolNames } from './tools.ts'
import { blankLine, Stream, type TranslatedStream } from './translated-stream.ts'
import { noTokens, type TokenCounts } from './usage.ts'

/** How one exchange is translated. */
export interface TranslatorOptions {
  /** Refuse what cannot be carried (400, `request.lossy`) instead of listing it. */
  readonly strict?: boolean
  /** Names from the provider's row. */
  readonly quirks?: readonly string[]
  /** Mark the prompt for caching where the caller's protocol has no marks. */
  readonly autoCache?: boolean
  /** Unique, `[0-9a-z]+`: the stem of all ids in the answer. */
  readonly id: string
  /** Epoch ms: what the answer calls its time of creation. */
  readonly now: number
  /** Fields of the caller's body that gw acted on itself: an answer repeats them, the upstream does not see them. */
  readonly echo?: JsonObject
  /** How many characters of a streamed answer may have to be kept; 64 Mi when absent. */
  readonly maxKept?: number
}

/** Facts about the target of a request. */
export interface RequestContext {
  /** The upstream's name of the model. */
  readonly model: string
  /** The most the model can write, when the catalogue knows. */
  readonly maxOutputTokens?: number | null
  /** Ask the upstream for a stream, whatever the caller asked for. Some upstreams can do nothing else. */
  readonly stream?: boolean
}

/** A request for the upstream. */
export interface TranslatedRequest {
  readonly body: JsonObject
  readonly losses: readonly Loss[]
}

/** A whole answer for the caller. */
export interface TranslatedResponse {
  /** The answer, or the error body when there is a failure. */
  readonly body: JsonObject
  readonly losses: readonly Loss[]
  readonly usage: TokenCounts
  readonly finish: FinishReason | null
  readonly failure: UpstreamFailure | null
}

/** Puts an upstream's stream together into one whole answer. */
export interface Aggregator {
  push(bytes: Uint8Array): void
  /** Whether the answer is whole: the connection need not be waited for. */
  readonly done: boolean
  readonly usage: TokenCounts
  /** The upstream closed, or `done`. */
  end(): TranslatedResponse
}

/** Everything between one caller's protocol and one upstream's, for one exchange. */
export interface Translator {
  readonly client: ProtocolId
  readonly upstream: ProtocolId
  /**
   * The caller's body for the upstream. Called once more for each further target.
   *
   * @throws GwError `request.invalid` with the JSON path; `request.lossy` in strict mode with the path of the first loss
   */
  request(body: JsonObject, context: RequestContext): TranslatedRequest
  /** A whole answer. Needs a {@link Translator.request} before it. */
  response(body: unknown): TranslatedResponse
  /** A streamed answer, event by event. */
  stream(): TranslatedStream
  /** A streamed answer for a caller who asked for a whole one. */
  aggregate(): Aggregator
  /** A whole answer as the stream that the caller asked for. */
  streamOf(body: unknown): TranslatedStream
}

/** How long a name of a tool may be. */
const nameLimits: Readonly<Record<ProtocolId, number>> = {
  'openai-chat': 64,
  'openai-responses': 64,
  'anthropic-messages': 128,
  'gemini': 64,
}

/** How long the id of a call may be. */
const idLimits: Readonly<Record<ProtocolId, number>> = {
  'openai-chat': 40,
  'openai-responses': 64,
  'anthropic-messages': 64,
  'gemini': 64,
}

/** The protocols whose answers may be several to choose from. */
const offersChoice: ReadonlySet<ProtocolId> = new Set(['openai-chat', 'gemini'])

interface Exchange {
  readonly request: InferenceRequest
  readonly names: ToolNames
  readonly ids: ToolIds
  readonly call: Call
}

/** A translator between two protocols. With the same one on both sides it reads and writes all the same. */
export function translator(client: ProtocolId, upstream: ProtocolId, options: TranslatorOptions): Translator {
  const [near, far] = [protocolOf(client), protocolOf(upstream)]
  const quirks = new Set(options.quirks)
  const ids = toolIds(client === upstream ? 64 : idLimits[upstream], client === 'anthropic-messages')
  let exchange: Exchange | null = null

  function started(): Exchange {
    if (exchange === null) throw new GwError('internal', 'an answer before its request')
    return exchange
  }
  function restorer({ names, call }: Exchange): Restorer {
    return createRestorer(names, ids, offersChoice.has(client) ? call.request.choices ?? 1 : 1)
  }

  return {
    client,
    upstream,
    request(body, context) {
      const decoded = near.decodeRequest(body)
      const wished = context.stream === undefined ? decoded : { ...decoded, stream: context.stream }
      const ledger = createLedger(client, upstream)
      const request = !ledger.same && (quirks.has('web-search') || quirks.has('chat-web-search'))
        ? withSearchAsTool(wished)
        : wished
      const names = ledger.same && upstream === 'openai-responses'
        ? toolNames([], nameLimits[upstream])
        : toolNames(request.tools, nameLimits[upstream])
      const messages = ledger.same ? request.messages : repairCalls(request.messages, ledger)
      const encoded = far.encodeRequest({ ...request, messages }, {
        model: context.model,
        ledger,
        names,
        ids,
        quirks,
        maxOutputTokens: context.maxOutputTokens ?? null,
        autoCache: options.autoCache === true && client.startsWith('openai'),
      })
      if (!ledger.same) {
        loseNamespaces(request, ledger)
        loseUnnamed(request, ledger)
      }
      const upstreamBody = applyQuirks(
        upstream,
        encoded,
        quirks,
        (field, why) => ledger.lose(ledger.same ? field : fieldOf(decoded, field, body), why),
      )
      if (options.strict === true) refuseLosses(ledger.losses)
      const call: Call = {
        id: options.id,
        createdAt: Math.floor(options.now / 1000),
        model: decoded.model,
        upstream,
        request: decoded,
        body: options.echo === undefined ? body : { ...body, ...options.echo },
      }
      exchange = { request, names, ids, call }
      return { body: upstreamBody, losses: ledger.losses }
    },
    response(body) {
      const now = started()
      return whole(now, near, restorer(now), far.decodeResponse(body, options.id))
    },
    stream() {
      const now = started()
      return new Stream(near, now.call, restorer(now), far.streamDecoder(options.id), options.maxKept)
    },
    aggregate() {
      const now = started()
      return createAggregator(now, near, far, restorer(now), options.id)
    },
    streamOf(body) {
      const now = started()
      const decoded = far.decodeResponse(body, options.id)
      const events: InferenceEvent[] = decoded.ok
        ? replay(decoded.response)
        : [{ type: 'failure', failure: decoded.failure }]
      return new Stream(near, now.call, restorer(now), {
        push: () => {},
        end: (out) => void out.push(...events.splice(0)),
      })
    },
  }
}

/** What the caller calls a field of the upstream's body. */
function fieldOf({ source, reasoning }: InferenceRequest, field: string, body: JsonObject): string {
  if (field === 'reasoning_effort' && reasoning !== null) {
    return reasoning.effort === null ? reasoning.path : reasoning.effortPath
  }
  if (field === 'max_output_tokens' && source === 'openai-chat' && body.max_completion_tokens == null) {
    return 'max_tokens'
  }
  return ownWords[source][field] ?? field
}

/** Fields of an upstream's body that some dialects lack, in the words of each caller's protocol. */
const ownWords: Readonly<Record<ProtocolId, Readonly<Record<string, string>>>> = {
  'openai-chat': { max_output_tokens: 'max_completion_tokens' },
  'openai-responses': { verbosity: 'text.verbosity' },
  'anthropic-messages': {
    max_output_tokens: 'max_tokens',
    user: 'metadata.user_id',
    parallel_tool_calls: 'tool_choice.disable_parallel_tool_use',
  },
  gemini: { max_output_tokens: 'generationConfig.maxOutputTokens', top_logprobs: 'generationConfig.logprobs' },
}

/** A namespace's name lives on in the names of its tools; what it says about itself does not. */
function loseNamespaces({ tools }: InferenceRequest, ledger: Ledger): void {
  const seen = new Set<ToolNamespace>()
  for (const tool of tools) {
    const namespace = tool.type === 'function' || tool.type === 'custom' ? tool.namespace : null
    if (namespace === null || seen.has(namespace)) continue
    seen.add(namespace)
    ledger.extras(namespace)
    if (namespace.description) {
      ledger.lose(`${namespace.path}.description`, `${ledger.target} has no namespaces of tools`)
    }
  }
}

/** A choice among some tools names those of the caller; the ones that a provider runs go by no name elsewhere. */
function loseUnnamed({ toolChoice }: InferenceRequest, ledger: Ledger): void {
  if (toolChoice?.type !== 'allowed') return
  for (const path of toolChoice.unnamed) ledger.lose(path, `a tool that only ${ledger.source} runs`)
}

/** Refuses what cannot be carried whole. @throws GwError `request.lossy` with the path of the first loss */
export function refuseLosses(losses: readonly Loss[]): void {
  const first = losses[0]
  if (first === undefined) return
  const more = losses.length > 1 ? ` (and ${losses.length - 1} more)` : ''
  throw new GwError('request.lossy', `${first.path}: ${first.reason}${more}`, {
    param: first.path,
    hint: 'send it without strict to have it left out',
    details: { losses },
  })
}

function whole(exchange: Exchange, near: Protocol, restorer: Restorer, decoded: DecodedResponse): TranslatedResponse {
  if (!decoded.ok) return failed(near, decoded.failure, noTokens, [])
  const collector = createCollector()
  const out: InferenceEvent[] = []
  for (const event of replay(decoded.response)) restorer.push(event, out)
  for (const event of out) collector.push(event)
  if (collector.failure !== null) return failed(near, collector.failure, collector.tokens, [])
  return answer(exchange, near, collector.response())
}

function answer({ call }: Exchange, near: Protocol, response: InferenceResponse): TranslatedResponse {
  const losses = endLosses(response, response.tokens, near.id)
  const body = near.encodeResponse(response, call, (path, reason) => losses.push({ path, reason }))
  return { body, losses, usage: response.tokens, finish: response.finish, failure: null }
}

function failed(near: Protocol, failure: UpstreamFailure, usage: TokenCounts, losses: Loss[]): TranslatedResponse {
  return { body: near.encodeFailure(failure), losses, usage, finish: null, failure }
}

function createAggregator(
  exchange: Exchange,
  near: Protocol,
  far: Protocol,
  restorer: Restorer,
  stem: string,
): Aggregator {
  const parser = sseParser()
  const decoder = far.streamDecoder(stem)
  const collector = createCollector()

  function take(read: (out: InferenceEvent[]) => void): void {
    const raw: InferenceEvent[] = []
    const out: InferenceEvent[] = []
    try {
      read(raw)
    } catch (cause) {
      raw.push({ type: 'failure', failure: upstreamFailure('malformed', (cause as Error).message) })
    }
    for (const event of raw) restorer.push(event, out)
    for (const event of out) if (collector.failure === null && !collector.finished) collector.push(event)
  }
  const over = (): boolean => collector.finished || collector.failure !== null

  return {
    push(bytes) {
      if (over()) return
      take((out) => {
        for (const event of parser.push(bytes)) decoder.push(event, out)
      })
    },
    get done() {
      return over()
    },
    get usage() {
      return collector.tokens
    },
    end() {
      if (!over()) {
        // The last event of some upstreams lacks its blank line.
        take((out) => {
          for (const event of parser.push(blankLine)) decoder.push(event, out)
        })
      }
      if (!over()) take((out) => decoder.end(out))
      return collector.failure === null
        ? answer(exchange, near, collector.response())
        : failed(near, collector.failure, collector.tokens, [])
    },
  }
}
