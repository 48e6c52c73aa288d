import { GwError, isObject, type JsonObject } from '../base/mod.ts'
import type { ProtocolId } from '../protocol/mod.ts'
import { hear } from './grammar.ts'

/** One call of a tool, as an answer holds it. */
interface Called {
  readonly id: string
  readonly name: string
  readonly input: string
}

/** How a protocol's requests are written and its answers read, as far as the cases need it. */
export interface Wire {
  readonly protocol: ProtocolId
  /** Where a model is asked, whole or streamed. */
  path(model: string, stream: boolean): string
  /** A question, with a tool that must be called if one is given. */
  ask(model: string, text: string, tool?: string): JsonObject
  /** The same as a stream. */
  streamed(body: JsonObject): JsonObject
  /** The field that holds the conversation. */
  readonly turns: string
  /** The conversation after a call and its result. */
  follow(body: JsonObject, answer: JsonObject, called: Called): JsonObject
  text(answer: JsonObject): string
  calls(answer: JsonObject): Called[]
  /** Input and output tokens, `null` where the answer does not say. */
  usage(answer: JsonObject): readonly [unknown, unknown] | null
  /** Message and type of an error body, `null` when it has another shape. */
  error(body: unknown): { readonly type: string; readonly message: string } | null
}

/** How a body is sent. */
interface Sending {
  readonly stream?: boolean
  /** Another model than the one that is tested, where it stands in the path. */
  readonly model?: string
  readonly token?: string | null
}

/** What a case has to work with. */
export interface Bench {
  readonly wire: Wire
  readonly model: string
  send(body: JsonObject | string, options?: Sending): Promise<Response>
}

/** One thing that must hold, in every protocol. */
export interface Case {
  readonly id: string
  readonly title: string
  /** Throws with what was wrong. */
  run(bench: Bench): Promise<void>
}

const schema = { type: 'object', properties: { note: { type: 'string' } }, required: ['note'] }
const list = (value: unknown): JsonObject[] => Array.isArray(value) ? value.filter(isObject) as JsonObject[] : []
const inside = (value: unknown): JsonObject => (isObject(value) ? value : {}) as JsonObject
const textOf = (value: unknown): string => typeof value === 'string' ? value : ''

const asStream = (body: JsonObject): JsonObject => ({ ...body, stream: true })

function openaiError(body: unknown): { type: string; message: string } | null {
  const error = inside(inside(body).error)
  return typeof error.type === 'string' && typeof error.message === 'string' && 'code' in error && 'param' in error
    ? { type: error.type, message: error.message }
    : null
}

const chat: Wire = {
  protocol: 'openai-chat',
  path: () => '/v1/chat/completions',
  turns: 'messages',
  streamed: asStream,
  ask: (model, text, tool) => ({
    model,
    messages: [{ role: 'user', content: text }],
    ...(tool === undefined ? {} : {
      tools: [{ type: 'function', function: { name: tool, parameters: schema } }],
      tool_choice: { type: 'function', function: { name: tool } },
    }),
  }),
  follow: ({ tool_choice: _, ...body }, answer, called) => ({
    ...body,
    messages: [
      ...list(body.messages),
      inside(list(answer.choices)[0]?.message),
      { role: 'tool', tool_call_id: called.id, content: 'done' },
    ],
  }),
  text: (answer) => textOf(inside(list(answer.choices)[0]?.message).content),
  calls: (answer) =>
    list(inside(list(answer.choices)[0]?.message).tool_calls).map((call) => {
      const { name, arguments: input } = inside(call.function)
      return { id: textOf(call.id), name: textOf(name), input: textOf(input) }
    }),
  usage: ({ usage }) => isObject(usage) ? [usage.prompt_tokens, usage.completion_tokens] : null,
  error: openaiError,
}

const responses: Wire = {
  protocol: 'openai-responses',
  path: () => '/v1/responses',
  turns: 'input',
  streamed: asStream,
  ask: (model, text, tool) => ({
    model,
    input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text }] }],
    store: false,
    ...(tool === undefined ? {} : {
      tools: [{ type: 'function', name: tool, parameters: schema, strict: false }],
      tool_choice: { type: 'function', name: tool },
    }),
  }),
  follow: ({ tool_choice: _, ...body }, answer, called) => ({
    ...body,
    input: [
      ...list(body.input),
      ...list(answer.output),
      { type: 'function_call_output', call_id: called.id, output: 'done' },
    ],
  }),
  text: (answer) => list(answer.output).flatMap((item) => list(item.content).map((part) => textOf(part.text))).join(''),
  calls: (answer) =>
    list(answer.output).filter(({ type }) => type === 'function_call').map((item) => ({
      id: textOf(item.call_id),
      name: textOf(item.name),
      input: textOf(item.arguments),
    })),
  usage: ({ usage }) => isObject(usage) ? [usage.input_tokens, usage.output_tokens] : null,
  error: openaiError,
}

const messages: Wire = {
  protocol: 'anthropic-messages',
  path: () => '/v1/messages',
  turns: 'messages',
  streamed: asStream,
  ask: (model, text, tool) => ({
    model,
    max_tokens: 2048,
    messages: [{ role: 'user', content: text }],
    ...(tool === undefined
      ? {}
      : { tools: [{ name: tool, input_schema: schema }], tool_choice: { type: 'tool', name: tool } }),
  }),
  follow: ({ tool_choice: _, ...body }, answer, called) => ({
    ...body,
    messages: [
      ...list(body.messages),
      { role: 'assistant', content: list(answer.content) },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: called.id, content: 'done' }] },
    ],
  }),
  text: (answer) => list(answer.content).map((block) => textOf(block.text)).join(''),
  calls: (answer) =>
    list(answer.content).filter(({ type }) => type === 'tool_use').map((block) => ({
      id: textOf(block.id),
      name: textOf(block.name),
      input: JSON.stringify(block.input),
    })),
  usage: ({ usage }) => isObject(usage) ? [usage.input_tokens, usage.output_tokens] : null,
  error(body) {
    const error = inside(inside(body).error)
    return inside(body).type === 'error' && typeof error.type === 'string' && typeof error.message === 'string'
      ? { type: error.type, message: error.message }
      : null
  },
}

const generate: Wire = {
  protocol: 'gemini',
  path: (model, stream) => `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
  turns: 'contents',
  ask: (_, text, tool) => ({
    contents: [{ role: 'user', parts: [{ text }] }],
    ...(tool === undefined ? {} : {
      tools: [{ functionDeclarations: [{ name: tool, parametersJsonSchema: schema }] }],
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: [tool] } },
    }),
  }),
  streamed: (body) => body,
  follow: ({ toolConfig: _, ...body }, answer, called) => ({
    ...body,
    contents: [
      ...list(body.contents),
      inside(list(answer.candidates)[0]?.content),
      {
        role: 'user',
        parts: [{
          functionResponse: {
            ...(called.id === '' ? {} : { id: called.id }),
            name: called.name,
            response: { output: 'done' },
          },
        }],
      },
    ],
  }),
  text: (answer) =>
    list(inside(list(answer.candidates)[0]?.content).parts).filter(({ thought }) => thought !== true)
      .map((part) => textOf(part.text)).join(''),
  calls: (answer) =>
    list(inside(list(answer.candidates)[0]?.content).parts).filter((part) => isObject(part.functionCall)).map(
      (part) => {
        const { id, name, args } = inside(part.functionCall)
        return { id: textOf(id), name: textOf(name), input: JSON.stringify(args ?? {}) }
      },
    ),
  usage: ({ usageMetadata: usage }) => isObject(usage) ? [usage.promptTokenCount, usage.candidatesTokenCount] : null,
  error(body) {
    const error = inside(inside(body).error)
    return typeof error.code === 'number' && typeof error.status === 'string' && typeof error.message === 'string'
      ? { type: error.status, message: error.message }
      : null
  },
}

/** The protocols that are tested. */
export const wires: readonly Wire[] = [chat, responses, messages, generate]

function must(condition: unknown, message: string): asserts condition {
  if (!condition) throw new GwError('upstream.invalid', message)
}

async function whole(bench: Bench, body: JsonObject): Promise<JsonObject> {
  const reply = await bench.send(body)
  const answer: unknown = await reply.json()
  must(reply.status === 200, `status ${reply.status}: ${JSON.stringify(answer).slice(0, 300)}`)
  must(/^application\/json/.test(reply.headers.get('content-type') ?? ''), 'the answer is not labelled as JSON')
  return inside(answer)
}

async function streamed(bench: Bench, body: JsonObject): Promise<ReturnType<typeof hear>> {
  const reply = await bench.send(bench.wire.streamed(body), { stream: true })
  const text = await reply.text()
  must(reply.status === 200, `status ${reply.status}: ${text.slice(0, 300)}`)
  must(/^text\/event-stream/.test(reply.headers.get('content-type') ?? ''), 'the stream is not labelled as one')
  const heard = hear(bench.wire.protocol, text)
  must(heard.error === null, `the stream ended in an error: ${heard.error}`)
  return heard
}

async function refused(
  bench: Bench,
  status: number,
  body: JsonObject | string,
  options?: Sending,
): Promise<string> {
  const reply = await bench.send(body, options)
  const text = await reply.text()
  must(reply.status === status, `status ${reply.status} instead of ${status}: ${text.slice(0, 300)}`)
  return refusal(bench, text)
}

/** The message of an error body, which must be one of this protocol. */
function refusal(bench: Bench, text: string): string {
  let said: unknown
  try {
    said = JSON.parse(text)
  } catch {
    said = null
  }
  const error = bench.wire.error(said)
  must(error !== null, `not an error of this protocol: ${text.slice(0, 300)}`)
  must(error.message.length > 0, 'the error says nothing')
  return error.message
}

function isArguments(input: string): boolean {
  try {
    return isObject(JSON.parse(input))
  } catch {
    return false
  }
}

const question = 'Say hello. Grüße 👋 "quoted" \\ back.'

/** Every case, in the order it is run. */
export const cases: readonly Case[] = [
  {
    id: 'whole',
    title: 'a whole answer has text and usage',
    async run(bench) {
      const answer = await whole(bench, bench.wire.ask(bench.model, question))
      must(bench.wire.text(answer) !== '', 'no text')
      const usage = bench.wire.usage(answer)
      must(usage !== null && usage.every((count) => typeof count === 'number' && count > 0), 'no usage')
    },
  },
  {
    id: 'stream',
    title: "a stream keeps its protocol's grammar and has one end",
    async run(bench) {
      const heard = await streamed(bench, bench.wire.ask(bench.model, question))
      must(heard.text !== '', 'no text')
      must(heard.stop !== null, 'no end')
    },
  },
  {
    id: 'stream-usage',
    title: 'a stream says what it used',
    async run(bench) {
      const extra = bench.wire.protocol === 'openai-chat' ? { stream_options: { include_usage: true } } : {}
      const heard = await streamed(bench, { ...bench.wire.ask(bench.model, question), ...extra })
      must(heard.usage !== null, 'no usage')
    },
  },
  {
    id: 'tool-call',
    title: 'a forced tool is called with arguments that parse',
    async run(bench) {
      const [call] = bench.wire.calls(await whole(bench, bench.wire.ask(bench.model, question, 'record_note')))
      must(call !== undefined, 'no call')
      must(call.name === 'record_note', `called ${call.name}`)
      // Where a protocol has no need of ids, calls and results meet by name and order.
      must(call.id !== '' || bench.wire.protocol === 'gemini', 'a call without id')
      must(isArguments(call.input), `arguments that are no object: ${call.input.slice(0, 100)}`)
    },
  },
  {
    id: 'tool-call-stream',
    title: 'a forced tool is called in a stream, its arguments whole',
    async run(bench) {
      const heard = await streamed(bench, bench.wire.ask(bench.model, question, 'record_note'))
      const [call] = heard.calls
      must(call !== undefined, 'no call')
      must(isArguments(call.input), `arguments that are no object: ${call.input.slice(0, 100)}`)
    },
  },
  {
    id: 'tool-result',
    title: 'an answer with a call can be sent back with its result',
    async run(bench) {
      const body = bench.wire.ask(bench.model, question, 'record_note')
      const answer = await whole(bench, body)
      const [call] = bench.wire.calls(answer)
      must(call !== undefined, 'no call')
      await whole(bench, bench.wire.follow(body, answer, call))
      await streamed(bench, bench.wire.follow(body, answer, call))
    },
  },
  {
    id: 'unknown-field',
    title: 'a field nobody knows does no harm',
    run: async (bench) =>
      void await whole(bench, { ...bench.wire.ask(bench.model, question), x_conform_unknown: { a: [1] } }),
  },
  {
    id: 'long',
    title: 'a megabyte of conversation passes or is refused as too long, in the right shape',
    async run(bench) {
      const reply = await bench.send(bench.wire.ask(bench.model, `${'word '.repeat(200_000)}${question}`))
      const said: unknown = await reply.json()
      must(reply.status === 200 || (reply.status < 500 && bench.wire.error(said) !== null), `status ${reply.status}`)
    },
  },
  {
    id: 'bad-json',
    title: 'a body that is no JSON is refused with 400',
    run: async (bench) => void await refused(bench, 400, '{"model": "x", '),
  },
  {
    id: 'bad-shape',
    title: 'a conversation of the wrong shape is refused with 400',
    async run(bench) {
      await refused(bench, 400, { ...bench.wire.ask(bench.model, question), [bench.wire.turns]: 7 })
    },
  },
  {
    id: 'no-model',
    title: 'a model that does not exist is refused with 404',
    async run(bench) {
      const model = 'no-such-provider/no-such-model-1'
      await refused(bench, 404, bench.wire.ask(model, question), { model })
    },
  },
  {
    id: 'no-token',
    title: 'nobody gets in without a token',
    run: async (bench) => void await refused(bench, 401, bench.wire.ask(bench.model, question), { token: null }),
  },
]

/** What must hold of a model that is known to break: in the middle of its answer, or by what it says. */
export function brokenCases(model: string): readonly Case[] {
  const named = model.replace(/^.*[/:]/, '')
  return [
    {
      id: `broken-stream:${named}`,
      title: `a stream of ${named} ends in an error event and nothing else`,
      async run(bench) {
        const reply = await bench.send(bench.wire.streamed(bench.wire.ask(model, question)), { stream: true, model })
        const text = await reply.text()
        if (reply.status !== 200) return void refusal(bench, text)
        const heard = hear(bench.wire.protocol, text)
        must(heard.error !== null, `the stream ended as if it were whole: ${heard.stop}`)
        must(heard.error !== '', 'the error says nothing')
      },
    },
    {
      id: `broken-whole:${named}`,
      title: `a whole answer of ${named} is an error`,
      async run(bench) {
        const reply = await bench.send(bench.wire.ask(model, question), { model })
        const text = await reply.text()
        must(reply.status >= 400, `status ${reply.status}: ${text.slice(0, 300)}`)
        refusal(bench, text)
      },
    },
  ]
}
