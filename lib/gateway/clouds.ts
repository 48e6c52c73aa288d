import { type JsonObject, sseParser } from '../base/mod.ts'
import {
  awsException,
  awsFrame,
  fromBedrock,
  fromBedrockCount,
  fromGemini,
  fromVertex,
  readBedrockPath,
  readVertexPath,
} from '../protocol/mod.ts'
import { asAsked, geminiRow } from './gemini.ts'
import { type Family, type SurfaceRow, surfaces } from './surfaces.ts'

/** How a client wrapped its request: model and way of answering stand in the path, and clouds have forms of their own. */
export interface Envelope {
  readonly cloud: 'bedrock' | 'vertex' | 'gemini'
  /** As the path names it; `null` where the body does. */
  readonly model: string | null
  readonly stream: boolean
  /** Whether tokens are to be counted only, where a cloud has a form of its own for that. */
  readonly counts?: boolean
}

/** A body taken out of its cloud's envelope. */
export interface Unwrapped {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Beta flags that stood in the body. */
  readonly betas: readonly string[]
}

const short: Readonly<Record<string, boolean>> = { '/invoke': false, '/invoke-with-response-stream': true }
const countTokens = /\/publishers\/anthropic\/models\/count-tokens:rawPredict$/

/** What is asked for by a path of Bedrock, Vertex or the generateContent API; `null` for every other path. */
export function cloudRow(path: string): SurfaceRow | null {
  if (Object.hasOwn(short, path)) return rowOf('/v1/messages', 'bedrock', null, short[path]!)
  if (path.startsWith('/model/')) {
    const found = readBedrockPath(path)
    if (found === null) return null
    return found.counts
      ? rowOf('/v1/messages/count_tokens', 'bedrock', found.model, false, true)
      : rowOf('/v1/messages', 'bedrock', found.model, found.stream)
  }
  if (!path.endsWith('awPredict')) return path.includes(':') ? geminiRow(path) : null
  if (countTokens.test(path)) return rowOf('/v1/messages/count_tokens', 'vertex', null, false)
  const found = readVertexPath(path)
  return found && rowOf('/v1/messages', 'vertex', found.model, found.stream)
}

function rowOf(
  plain: string,
  cloud: 'bedrock' | 'vertex',
  model: string | null,
  stream: boolean,
  counts = false,
): SurfaceRow {
  const family: Family = cloud
  return { ...surfaces[plain]!, family, envelope: { cloud, model, stream, counts } }
}

/** The messages body inside a cloud's. */
export function unwrap(body: JsonObject, { cloud, model, stream, counts }: Envelope): Unwrapped {
  if (cloud === 'gemini') return { bytes: encode(fromGemini(body, model ?? '', stream)), betas: [] }
  const named = model ?? (typeof body.model === 'string' ? body.model : undefined)
  const { model: _, ...rest } = body
  const { body: inner, betas } = cloud === 'bedrock'
    ? counts ? fromBedrockCount(rest, named ?? '') : fromBedrock(rest, named ?? '', stream)
    : { body: fromVertex(rest, named ?? '', stream), betas: [] }
  const { model: name, ...unnamed } = inner
  return { bytes: encode(name === '' ? unnamed : inner), betas }
}

const encode = (body: JsonObject): Uint8Array<ArrayBuffer> => new TextEncoder().encode(JSON.stringify(body))

/** An answer as the clients of a cloud read it: Bedrock's stream comes in binary frames, generateContent's as a list. */
export function wrap(
  answer: Response,
  { cloud, stream, counts }: Envelope,
  search: string,
): Response | Promise<Response> {
  if (counts && answer.ok) return counted(answer)
  if (cloud === 'gemini') return stream ? asAsked(answer, search) : answer
  const streamed = /^text\/event-stream\b/.test(answer.headers.get('content-type') ?? '')
  if (cloud !== 'bedrock' || !streamed || !answer.body) return answer
  const headers = new Headers(answer.headers)
  headers.set('content-type', 'application/vnd.amazon.eventstream')
  headers.set('x-amzn-bedrock-content-type', 'application/json')
  return new Response(answer.body.pipeThrough(framing()), { status: answer.status, headers })
}

/** A count of tokens as Bedrock says it. */
async function counted(answer: Response): Promise<Response> {
  const { input_tokens } = await answer.json() as JsonObject
  const headers = new Headers(answer.headers)
  headers.delete('content-length')
  return new Response(JSON.stringify({ inputTokens: input_tokens }), { status: answer.status, headers })
}

function framing(): TransformStream<Uint8Array, Uint8Array> {
  const parser = sseParser()
  return new TransformStream({
    transform(bytes, controller) {
      for (const { event, data } of parser.push(bytes)) {
        if (event === 'ping') controller.enqueue(awsFrame(ping))
        else if (event === 'error') controller.enqueue(awsException(data))
        else if (data !== '') controller.enqueue(awsFrame(data))
      }
    },
  })
}

const ping = '{"type":"ping"}'
