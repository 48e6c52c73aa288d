import Anthropic from '@anthropic-ai/sdk'
import OpenAI from 'openai'
import { type Protocol, said, type Surface, well } from '../../test/lib/routing/surfaces.ts'
import { type FakeUpstream, fakeUpstream, type Step } from '../../test/support/fake-upstream.ts'

/** What the official client of a protocol got of an answer, and what came over its wire meanwhile. */
export interface Heard {
  readonly client: string
  readonly text: string
  readonly status: number
  /** Events that open an answer. */
  readonly starts: number
  /** Pieces that came between the opening and the first content. */
  readonly keepAlives: number
  readonly errors: number
  /** Longest time without a byte, headers included, ms. */
  readonly longestPauseMs: number
  readonly tookMs: number
}

/** How an answer opens and how an error looks on the wire of a protocol. */
const marks: Readonly<Record<Protocol, { readonly start: RegExp; readonly error: RegExp }>> = {
  'openai-chat': { start: /"role":"assistant"/g, error: /^data: \{"error"/gm },
  'openai-responses': { start: /^event: response\.created$/gm, error: /^event: (?:error|response\.failed)$/gm },
  'anthropic-messages': { start: /^event: message_start$/gm, error: /^event: error$/gm },
}

/** Three routes of a protocol: two that shake hands, say nothing for a while and are then overloaded, and one that answers. */
export function silentRoutes(surface: Surface, silenceMs: number): Promise<readonly FakeUpstream[]> {
  const silent: Step = async (exchange) => {
    const [[opening, handshake], [broken, overload]] = surface.broken as unknown as [
      [string?, unknown?],
      [string?, unknown?],
    ]
    await exchange.sse()
    await exchange.event(handshake, opening)
    await Promise.race([exchange.gone, new Promise((resolve) => setTimeout(resolve, silenceMs))])
    await exchange.event(overload, broken)
    await exchange.end()
  }
  return Promise.all([fakeUpstream(silent), fakeUpstream(silent), fakeUpstream(well(surface))])
}

/** Asks once with the official client of a surface's protocol, which is told to try no second time. */
export async function listen(surface: Surface, { url, token, model }: Asked): Promise<Heard> {
  const { protocol } = surface
  const began = performance.now()
  const pieces: { readonly at: number; readonly text: string }[] = []
  let status = 0
  const recording = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const reply = await fetch(input, init)
    status = reply.status
    pieces.push({ at: performance.now(), text: '' })
    const decoder = new TextDecoder()
    const tap = new TransformStream<Uint8Array, Uint8Array>({
      transform(piece, controller) {
        pieces.push({ at: performance.now(), text: decoder.decode(piece, { stream: true }) })
        controller.enqueue(piece)
      },
    })
    return new Response(reply.body!.pipeThrough(tap), reply)
  }
  const text = await clients[protocol]({ url, token, model, fetch: recording })
  const wire = pieces.map((piece) => piece.text).join('')
  const spoken = pieces.findIndex((piece) => piece.text.includes(said))
  const times = [began, ...pieces.map(({ at }) => at)]
  return {
    client: protocol,
    text,
    status,
    starts: wire.match(marks[protocol].start)?.length ?? 0,
    // The head and the opening come first.
    keepAlives: Math.max(0, spoken - 2),
    errors: wire.match(marks[protocol].error)?.length ?? 0,
    longestPauseMs: Math.max(...times.slice(1).map((at, i) => at - times[i]!)),
    tookMs: performance.now() - began,
  }
}

/** Whom to ask, and for what. */
export interface Asked {
  readonly url: string
  readonly token: string
  readonly model: string
}

const content = 'are you there?'
type Client = (
  asked: Asked & { readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response> },
) => Promise<string>

/** The text that each official client makes of a stream. */
const clients: Readonly<Record<Protocol, Client>> = {
  async 'openai-chat'({ url, token, model, fetch }) {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0, fetch })
    const stream = client.chat.completions.stream({ model, messages: [{ role: 'user', content }], stream: true })
    return (await stream.finalChatCompletion()).choices[0]!.message.content ?? ''
  },
  async 'openai-responses'({ url, token, model, fetch }) {
    const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: token, maxRetries: 0, fetch })
    return (await client.responses.stream({ model, input: content }).finalResponse()).output_text
  },
  async 'anthropic-messages'({ url, token, model, fetch }) {
    const client = new Anthropic({ baseURL: url, apiKey: token, authToken: null, maxRetries: 0, fetch })
    const stream = client.messages.stream({ model, max_tokens: 99, messages: [{ role: 'user', content }] })
    return await stream.finalText()
  },
}

/** What must be true of an answer after two silent routes; the first thing that is not, else `null`. */
export function wrongWith(heard: Heard, upstreams: readonly FakeUpstream[]): string | null {
  if (heard.text !== said) return `the client heard ${JSON.stringify(heard.text)}`
  if (heard.starts !== 1) return `${heard.starts} starts`
  if (heard.errors !== 0) return `${heard.errors} errors on the wire`
  if (heard.keepAlives === 0) return 'no keep-alive'
  const asked = upstreams.map(({ requests }) => requests.length).join()
  return asked === '1,1,1' ? null : `the routes were asked ${asked} times`
}
