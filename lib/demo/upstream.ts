import { type Clock, isObject, systemClock } from '../base/mod.ts'
import { chatChunks, chatCompletion, readChat } from './chat.ts'
import { countedBody, generated, generatedPieces, generateTokens, readGenerate, wantsThoughts } from './generate.ts'
import { message, messageEvents, messagesTokens, readMessages } from './messages.ts'
import { type Behaviour, behaviourOf, demoModels } from './models.ts'
import { type Frame, paced } from './pace.ts'
import { type Body, tokensIn } from './read.ts'
import { type Dialect, errorBody, errorFor, Refusal } from './refusal.ts'
import { response, responseEvents, responseFailed } from './response-events.ts'
import { readResponses } from './responses.ts'
import { transcribe } from './transcription.ts'
import { answer } from './turn.ts'
import { base64Of, vectorOf } from './vectors.ts'

/** What the demo upstream can be told. */
export interface DemoOptions {
  /** Milliseconds between two pieces of a stream; 15 when absent, so that a stream looks like one. */
  readonly pieceDelayMs?: number
  /** When set, requests must carry it as bearer, `x-api-key` or `x-goog-api-key`; without it any credential will do. */
  readonly key?: string
  readonly clock?: Clock
  /** Unguessable part of ids; tests pass a counter. */
  readonly unique?: () => string
}

/** An upstream that needs no network. */
export interface DemoUpstream {
  /** Answers a request as the real servers would, by the end of its path; never rejects. */
  fetch(request: Request): Promise<Response>
}

/** Longest silence of `demo-hang`. */
const hangMs = 15 * 60_000

/**
 * The upstream behind `gw serve --demo` and `gw demo`: true to the wire formats of OpenAI, Anthropic and Google, with no model
 * behind it. See {@link demoModels} for what it offers.
 */
export function demoUpstream(options: DemoOptions = {}): DemoUpstream {
  const clock = options.clock ?? systemClock
  const unique = options.unique ?? (() => crypto.randomUUID().replaceAll('-', ''))
  const newId = (prefix: string): string => `${prefix}${unique()}`
  const pieceDelayMs = options.pieceDelayMs ?? 15

  type Handler = (request: Request) => Promise<Response>
  const routes: readonly (readonly [method: string, path: RegExp, dialect: Dialect, handler: Handler])[] = [
    ['POST', /\/chat\/completions$/, 'openai', onChat],
    ['POST', /\/responses$/, 'openai', onResponses],
    ['POST', /\/embeddings$/, 'openai', onEmbeddings],
    ['POST', /\/audio\/transcriptions$/, 'openai', onTranscription],
    ['POST', /\/messages\/count_tokens$/, 'anthropic', onCountTokens],
    ['POST', /\/messages$/, 'anthropic', onMessages],
    ['POST', /\/models\/[^/]+:(?:streamG|g)enerateContent$/, 'google', onGenerate],
    ['POST', /\/models\/[^/]+:countTokens$/, 'google', onCountContents],
    ['GET', /\/models(?:\/[^/]+)?$/, 'openai', onModels],
  ]

  async function onChat(request: Request): Promise<Response> {
    const { body, model, behaviour } = await opened(request)
    const ask = readChat(body, model, behaviour)
    const who = { id: newId('chatcmpl-'), created: Math.floor(clock.now() / 1000), model, newId }
    const turn = answer(ask)
    if (body['stream'] !== true) return whole(chatCompletion(ask, turn, who), behaviour)
    const wanted = body['stream_options']
    const includeUsage = isObject(wanted) && wanted['include_usage'] === true
    return stream(chatChunks(ask, turn, who, includeUsage), behaviour, () => ({
      data: errorBody('openai', broken(), who.id),
    }))
  }

  async function onResponses(request: Request): Promise<Response> {
    const { body, model, behaviour } = await opened(request)
    const ask = readResponses(body, model, behaviour)
    const who = { id: newId('resp_'), created: Math.floor(clock.now() / 1000), model, newId, body }
    const turn = answer(ask)
    if (body['stream'] !== true) return whole(response(ask, turn, who), behaviour)
    return stream(responseEvents(ask, turn, who), behaviour, (sent) => responseFailed(ask, turn, who, sent))
  }

  async function onMessages(request: Request): Promise<Response> {
    const { body, model, behaviour } = await opened(request)
    const ask = readMessages(body, model, behaviour)
    const who = { id: newId('msg_'), model, newId }
    const turn = answer(ask)
    if (body['stream'] !== true) return whole(message(ask, turn, who), behaviour)
    return stream(messageEvents(ask, turn, who), behaviour, () => ({
      event: 'error',
      data: errorBody('anthropic', new Refusal(529, broken().message), newId('req_')),
    }))
  }

  async function onCountTokens(request: Request): Promise<Response> {
    const { body } = await opened(request)
    return Response.json({ input_tokens: messagesTokens(body) })
  }

  /** The body of a call that names its model in the path. */
  async function openedAt(
    request: Request,
  ): Promise<{ body: Body; model: string; behaviour: Behaviour; path: string }> {
    const { pathname: path } = new URL(request.url)
    const named = decodeURIComponent(/\/models\/([^/]+):\w+$/.exec(path)?.[1] ?? '')
    return { ...await opened(request, named), path }
  }

  async function onGenerate(request: Request): Promise<Response> {
    const { body, model, behaviour, path } = await openedAt(request)
    const ask = readGenerate(body, model, behaviour)
    const who = { id: newId('r'), model, thoughts: wantsThoughts(body) }
    const turn = answer(ask)
    if (!path.endsWith(':streamGenerateContent')) return whole(generated(ask, turn, who), behaviour)
    if (!/[?&]alt=sse(?:&|$)/.test(request.url)) throw new Refusal(400, 'the demo streams with alt=sse only')
    return stream(generatedPieces(ask, turn, who), behaviour, () => ({ data: errorBody('google', broken(), who.id) }))
  }

  async function onCountContents(request: Request): Promise<Response> {
    const { body } = await openedAt(request)
    return Response.json({ totalTokens: generateTokens(countedBody(body)) })
  }

  async function onEmbeddings(request: Request): Promise<Response> {
    const { body, model } = await opened(request)
    const { input } = body
    const dimensions = body['dimensions'] ?? 256
    if (typeof dimensions !== 'number' || !Number.isInteger(dimensions) || dimensions < 1 || dimensions > 4096) {
      throw new Refusal(400, `'dimensions' must be a whole number from 1 to 4096`, { param: 'dimensions' })
    }
    const texts = typeof input === 'string'
      ? [input]
      : !Array.isArray(input) || input.length === 0
      ? []
      : input.every((item) => typeof item === 'number')
      ? [input.join(' ')]
      : input.map((item) => Array.isArray(item) ? item.join(' ') : String(item))
    if (texts.length === 0 || texts.length > 2048) {
      throw new Refusal(400, `'input' must be a text or a list of 1 to 2048`, { param: 'input' })
    }
    const tokens = texts.reduce((sum, text) => sum + tokensIn(text), 0)
    const base64 = body['encoding_format'] === 'base64'
    return Response.json({
      object: 'list',
      data: texts.map((text, index) => {
        const vector = vectorOf(text, dimensions)
        return { object: 'embedding', index, embedding: base64 ? base64Of(vector) : [...vector] }
      }),
      model,
      usage: { prompt_tokens: tokens, total_tokens: tokens },
    })
  }

  async function onTranscription(request: Request): Promise<Response> {
    const form = await request.formData().catch(() => {
      throw new Refusal(400, 'the body is no multipart form')
    })
    const { behaviour } = await chosen(request, form.get('model'))
    const said = transcribe(form)
    return said instanceof Response
      ? said
      : stream(said, behaviour, () => ({ data: errorBody('openai', broken(), newId('req_')) }))
  }

  async function onModels(request: Request): Promise<Response> {
    const created = 1_767_225_600 // 2026-01-01: a model list needs a date, and this one never changes
    const rows = demoModels.map((model) => ({
      id: model.id,
      object: 'model',
      created,
      owned_by: 'demo',
      // What Anthropic's list has; a reader of either takes what it knows.
      type: 'model',
      display_name: model.about,
      created_at: new Date(created * 1000).toISOString(),
    }))
    const asked = /\/models\/([^/]+)$/.exec(new URL(request.url).pathname)?.[1]
    if (asked === undefined) {
      return Response.json({
        object: 'list',
        data: rows,
        has_more: false,
        first_id: rows[0]!.id,
        last_id: rows.at(-1)!.id,
      })
    }
    const id = decodeURIComponent(asked)
    const row = rows.find((model) => model.id === id)
    if (!row) throw unknownModel(id)
    return Response.json(row)
  }

  /** The parsed body and the behaviour of its model; waits, hangs and fails as the model's name says. */
  async function opened(
    request: Request,
    named?: string,
  ): Promise<{ body: Body; model: string; behaviour: Behaviour }> {
    let body: unknown
    try {
      body = JSON.parse(await request.text())
    } catch {
      throw new Refusal(400, 'the body is not valid JSON')
    }
    if (!isObject(body)) throw new Refusal(400, 'the body must be a JSON object')
    return { body, ...await chosen(request, named ?? body['model']) }
  }

  async function chosen(request: Request, model: unknown): Promise<{ model: string; behaviour: Behaviour }> {
    if (typeof model !== 'string' || model === '') {
      throw new Refusal(400, 'you must provide a model parameter', { param: 'model' })
    }
    const behaviour = behaviourOf(model)
    if (!behaviour) throw unknownModel(model)
    const waitMs = behaviour.hang ? hangMs : behaviour.waitMs
    if (waitMs > 0) await clock.sleep(waitMs, request.signal)
    if (behaviour.hang) throw new Refusal(504, 'the demo upstream did not answer, as demo-hang does')
    if (behaviour.error !== null) throw errorFor(behaviour.error)
    return { model, behaviour }
  }

  function whole(value: unknown, behaviour: Behaviour): Response {
    if (behaviour.broken === 'event') throw broken()
    if (behaviour.broken === null) return Response.json(value)
    const text = JSON.stringify(value)
    if (behaviour.broken === 'garbage') return asJson(text.slice(0, 80))
    if (behaviour.broken === 'twice') return asJson(text + text)
    const half = new TextEncoder().encode(text.slice(0, 80))
    let sent = false
    const cut = new ReadableStream<Uint8Array>({
      async pull(controller) {
        if (sent) await clock.sleep(50)
        if (sent) return controller.error(new Error('the demo upstream lost the connection, as demo-cut does'))
        sent = true
        controller.enqueue(half)
      },
    }, { highWaterMark: 0 })
    return new Response(cut, { headers: { 'content-type': 'application/json' } })
  }

  function stream(frames: Iterable<Frame>, behaviour: Behaviour, breaking: (sent: number) => Frame): Response {
    return new Response(paced(frames, { clock, behaviour, pieceDelayMs, broken: breaking }), {
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' },
    })
  }

  async function answered(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    const requestId = newId('req_')
    const here = routes.filter(([, path]) => path.test(pathname))
    const route = here.find(([method]) => method === request.method)
    const dialect = route?.[2] ?? here[0]?.[2] ?? 'openai'
    try {
      if (!route) {
        const message = here.length > 0
          ? `${request.method} is not allowed on ${pathname}`
          : `no such path: ${pathname}`
        throw new Refusal(here.length > 0 ? 405 : 404, message)
      }
      if (options.key !== undefined && credentialOf(request) !== options.key) throw errorFor(401)
      const reply = await route[3](request)
      named(reply.headers, dialect, requestId)
      return reply
    } catch (cause) {
      const refusal = cause instanceof Refusal
        ? cause
        : new Refusal(500, cause instanceof Error ? cause.message : 'the demo upstream failed')
      const reply = Response.json(errorBody(dialect, refusal, requestId), { status: refusal.status })
      named(reply.headers, dialect, requestId)
      if (refusal.status === 429 || refusal.status === 503 || refusal.status === 529) {
        reply.headers.set('retry-after', '2')
      }
      return reply
    }
  }

  return { fetch: answered }
}

const asJson = (text: string): Response => new Response(text, { headers: { 'content-type': 'application/json' } })

function broken(): Refusal {
  return new Refusal(500, 'the demo upstream broke, as demo-break does', { code: 'server_error' })
}

function unknownModel(model: string): Refusal {
  return new Refusal(
    404,
    `the model '${model}' does not exist; there are ${demoModels.map(({ id }) => id).join(', ')}`,
    {
      param: 'model',
      code: 'model_not_found',
    },
  )
}

function credentialOf(request: Request): string | null {
  return request.headers.get('x-api-key') ?? request.headers.get('x-goog-api-key') ??
    request.headers.get('authorization')?.replace(/^Bearer\s+/i, '') ?? null
}

/** The headers by which the real servers name a request and tell what quota is left. */
function named(headers: Headers, dialect: Dialect, requestId: string): void {
  if (dialect === 'anthropic') {
    headers.set('request-id', requestId)
    headers.set('anthropic-ratelimit-requests-limit', '1000')
    headers.set('anthropic-ratelimit-requests-remaining', '999')
  } else {
    headers.set('x-request-id', requestId)
    headers.set('x-ratelimit-limit-requests', '1000')
    headers.set('x-ratelimit-remaining-requests', '999')
  }
}
