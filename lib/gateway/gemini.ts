import { type JsonObject, sseParser } from '../base/mod.ts'
import { presentedToken } from '../access/mod.ts'
import type { Target } from '../accounts/mod.ts'
import { type GeminiMethod, geminiPath, readGeminiPath, toGemini, vertexGeminiPrefix } from '../protocol/mod.ts'
import { controlKeys } from '../routing/mod.ts'
import type { Line } from './attempt.ts'
import type { Body } from './body.ts'
import type { Call } from './call.ts'
import type { SurfaceRow } from './surfaces.ts'
import type { Translation } from './translated.ts'

const methods: Readonly<Record<GeminiMethod, 'generate' | 'count_tokens'>> = {
  generateContent: 'generate',
  streamGenerateContent: 'generate',
  countTokens: 'count_tokens',
}

/** What is asked for by a path of the generateContent API; `null` for every other path. */
export function geminiRow(path: string): SurfaceRow | null {
  const found = readGeminiPath(path)
  if (found === null) return null
  return {
    surface: methods[found.method],
    protocol: 'gemini',
    capability: 'chat',
    dialect: 'google',
    scope: 'write',
    body: 'json',
    json: true,
    family: 'gemini',
    envelope: { cloud: 'gemini', model: found.model, stream: found.method === 'streamGenerateContent' },
  }
}

/**
 * The call without the token that its query may hold: it becomes a header field like any other token, so that nothing
 * behind this point can log it or send it on.
 */
export function withoutQueryKey(call: Call): Call {
  if (!/[?&]key=/.test(call.search)) return call
  const query = new URLSearchParams(call.search)
  const key = query.get('key')
  query.delete('key')
  const headers = new Headers(call.headers)
  // What no header can hold is no key of ours.
  if (key && /^[\x21-\x7e]+$/.test(key) && presentedToken(headers) === null) headers.set('x-goog-api-key', key)
  return { ...call, headers, search: query.size === 0 ? '' : `?${query}` }
}

/** Whether a request on a path that vendors share comes from a client of this API. */
export function isGeminiClient({ headers }: Request, search: string): boolean {
  return headers.get('authorization') === null && (headers.get('x-goog-api-key') !== null || /[?&]key=/.test(search))
}

/** A caller's body with the model and the streaming that its path names, its other bytes as they are. */
export function unwrapGemini(body: Body, model: string, stream: boolean): Uint8Array<ArrayBuffer> | null {
  if (body.has('model') || body.has('stream') || body.has('generateContentRequest')) return null
  const names = [...body.names()]
  const head = `{"model":${JSON.stringify(model)}${stream ? ',"stream":true' : ''}${names.length > 0 ? ',' : ''}`
  const rest = body.bytes.subarray(body.bytes.indexOf(123) + 1)
  const first = new TextEncoder().encode(head)
  const out = new Uint8Array(first.length + rest.length)
  out.set(first)
  out.set(rest, first.length)
  return out
}

/** The request for a target that speaks generateContent, from what it is translated to, or from the caller's bytes. */
export function geminiTranslation(target: Target, line: Line, plain: Translation | null): Translation {
  const { ask, row, plan } = line
  const body = plain === null ? null : JSON.parse(new TextDecoder().decode(plain.body)) as JsonObject
  const counts = row.surface === 'count_tokens'
  const stream = body === null ? ask.stream : body.stream === true
  const method = counts ? 'countTokens' : stream ? 'streamGenerateContent' : 'generateContent'
  const vertex = target.deployment.envelope === 'vertex'
  const path = geminiPath(vertex ? '' : '/v1beta', target.model, method)
  return {
    body: body === null ? ownBytes(target, line, plan.controls ? controlKeys : []) : bytesOf(toGemini(body)),
    surface: vertex ? { path, prefix: vertexGeminiPrefix } : { path },
    framed: false,
    losses: plain?.losses ?? [],
    keeps: plain?.keeps ?? false,
    exchange: plain?.exchange ?? null,
  }
}

/** The caller's own bytes, less what was meant for gw. */
function ownBytes({ model }: Target, { ask }: Line, controls: readonly string[]): Uint8Array<ArrayBuffer> {
  const untouched = ask.wrapped?.bytes
  const named = controls.some((name) => ask.body.has(name))
  if (untouched && !named && !mentionsRequest(untouched)) return untouched
  const body = untouched && !named ? JSON.parse(new TextDecoder().decode(untouched)) as JsonObject : null
  const inner = body?.generateContentRequest
  // A request to count names the model once more.
  if (body !== null && typeof inner === 'object' && inner !== null) {
    return bytesOf({ ...body, generateContentRequest: { ...inner as JsonObject, model: `models/${model}` } })
  }
  return ask.body.rewrite(ask.body.model ?? model, ['model', 'stream', ...controls])
}

const mentionsRequest = (bytes: Uint8Array): boolean =>
  new TextDecoder('latin1').decode(bytes.subarray(0, 64)).includes('generateContentRequest')

const bytesOf = (body: JsonObject): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(body))

/**
 * An answer as its caller asked for it: a stream is a list of the same objects where `alt=sse` was not said.
 *
 * A list that breaks holds the error as its last item, as the API's own does.
 */
export function asAsked(answer: Response, search: string): Response {
  if (/[?&](?:\$?alt)=sse(?:&|$)/i.test(search)) return answer
  const type = answer.headers.get('content-type') ?? ''
  const headers = new Headers(answer.headers)
  headers.set('content-type', 'application/json; charset=UTF-8')
  if (!/^text\/event-stream\b/.test(type) || !answer.body) {
    if (answer.ok || !/^application\/json\b/.test(type)) return answer
    headers.delete('content-length')
    return new Response(answer.body?.pipeThrough(between('[', ']')) ?? null, { status: answer.status, headers })
  }
  return new Response(answer.body.pipeThrough(listing()), { status: answer.status, headers })
}

function between(before: string, after: string): TransformStream<Uint8Array, Uint8Array> {
  const utf8 = new TextEncoder()
  return new TransformStream({
    start: (controller) => controller.enqueue(utf8.encode(before)),
    flush: (controller) => controller.enqueue(utf8.encode(after)),
  })
}

function listing(): TransformStream<Uint8Array, Uint8Array> {
  const parser = sseParser()
  const utf8 = new TextEncoder()
  let first = true
  return new TransformStream({
    transform(bytes, controller) {
      for (const { data } of parser.push(bytes)) {
        if (data === '') continue
        controller.enqueue(utf8.encode(`${first ? '[' : ',\r\n'}${data}`))
        first = false
      }
    },
    flush: (controller) => controller.enqueue(utf8.encode(first ? '[]' : '\r\n]')),
  })
}
