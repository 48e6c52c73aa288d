import type { Provider } from './gateway.ts'
import type { Fault } from './vendor.ts'

/** One request of the day, as its client saw it. */
export interface Seen {
  readonly tag: string
  readonly protocol: ProtocolName
  /** Whose model it asks for. */
  readonly provider: Provider
  /** When it was sent, epoch milliseconds. */
  readonly at: number
  /** When its answer had ended, however it did. */
  doneAt: number
  /** Of gw, from the answer's head; `null` when none came. */
  id: string | null
  /** `left`: the client went away on purpose. */
  end: 'served' | 'error' | 'left'
  status: number | null
  error: string | null
}

export type ProtocolName = 'chat' | 'responses' | 'messages'

/** Where the clients of a day ask, and whom. */
export interface Work {
  readonly url: string
  readonly token: string
  /** A model of every provider: each client asks for any of them, in its own protocol. */
  readonly models: Readonly<Record<Provider, string>>
  /** Milliseconds between two requests of a client. */
  readonly thinkMs: number
  readonly signal: AbortSignal
}

/** Share of streams that their client leaves before the end. */
const leavingShare = 0.05
const sentence = 'The door is open, and somebody asks what is behind it. '

/** The faults that may reach a client: after the first content nobody else can take over. */
export const visible: ReadonlySet<Fault | 'revoked'> = new Set(['cut'])

/** A client that asks, waits and asks again until the day is over. */
export async function liveClient(work: Work, protocol: ProtocolName, nextTag: () => string, seen: Seen[]) {
  const providers = Object.keys(work.models) as Provider[]
  while (!work.signal.aborted) {
    const provider = providers[Math.floor(Math.random() * providers.length)]!
    const at = Date.now()
    const one: Seen = {
      tag: nextTag(),
      protocol,
      provider,
      at,
      doneAt: at,
      id: null,
      end: 'error',
      status: null,
      error: null,
    }
    seen.push(one)
    try {
      await ask(work, one)
    } catch (error) {
      one.error ??= (error as Error).message
    }
    one.doneAt = Date.now()
    await new Promise((resolve) => setTimeout(resolve, work.thinkMs * (0.5 + Math.random())))
  }
}

async function ask({ url, token, models }: Work, one: Seen): Promise<void> {
  const stream = Math.random() < 0.8
  const leaves = stream && Math.random() < leavingShare
  const leaving = new AbortController()
  const answer = await fetch(`${url}${pathOf(one.protocol)}`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'anthropic-version': '2023-06-01',
    },
    body: JSON.stringify(bodyOf(one, models[one.provider], stream)),
    signal: AbortSignal.any([leaving.signal, AbortSignal.timeout(120_000)]),
  })
  one.status = answer.status
  one.id = answer.headers.get('x-gw-request-id')
  if (!answer.ok) {
    one.error = (await answer.text()).slice(0, 500)
    return
  }
  let text = ''
  let pieces = 0
  const utf8 = new TextDecoder()
  const goneAfter = 2 + Math.floor(Math.random() * 6)
  for await (const bytes of answer.body!) {
    text += utf8.decode(bytes, { stream: true })
    if (leaves && ++pieces >= goneAfter) {
      one.end = 'left'
      leaving.abort()
      return
    }
  }
  const whole = stream ? endOf(one.protocol).test(text) && !brokenOff.test(text) : text.length > 0
  if (whole) one.end = 'served'
  else one.error = `the stream ended without its end: …${text.slice(-300)}`
}

const pathOf = (protocol: ProtocolName): string =>
  ({ chat: '/v1/chat/completions', responses: '/v1/responses', messages: '/v1/messages' })[protocol]

/** How a stream says that it is not complete; of chat completions, `[DONE]` comes all the same. */
const brokenOff = /^data: \{"(?:error"|type":"error")/m

/** How a stream of a protocol says that it is complete. */
const endOf = (protocol: ProtocolName): RegExp =>
  ({ chat: /data: \[DONE\]/, responses: /"type":"response\.completed"/, messages: /"type":"message_stop"/ })[protocol]

function bodyOf({ tag, protocol }: Seen, model: string, stream: boolean): object {
  const content = `${tag}: ${sentence.repeat(4 + Math.floor(Math.random() * 12))}`
  const parameters = { type: 'object', properties: { city: { type: 'string' } } }
  const tool = Math.random() < 0.3 ? { name: 'weather', description: 'The weather of a city' } : null
  if (protocol === 'responses') {
    return {
      model,
      stream,
      input: content,
      ...(tool ? { tools: [{ type: 'function', ...tool, parameters, strict: false }] } : {}),
    }
  }
  const messages = [{ role: 'user', content }]
  if (protocol === 'chat') {
    return {
      model,
      stream,
      messages,
      ...(stream ? { stream_options: { include_usage: true } } : {}),
      ...(tool ? { tools: [{ type: 'function', function: { ...tool, parameters } }] } : {}),
    }
  }
  return {
    model,
    stream,
    messages,
    max_tokens: 2_000,
    ...(tool ? { tools: [{ ...tool, input_schema: parameters }] } : {}),
  }
}
