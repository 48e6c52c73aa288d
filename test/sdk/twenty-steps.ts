import Anthropic from '@anthropic-ai/sdk'
import { type Content, type GenerateContentResponse, GoogleGenAI } from '@google/genai'
import { expect, test } from 'bun:test'
import OpenAI from 'openai'
import type { Target } from './target.ts'

const rounds = 20
const question = `Use the record_step tool ${rounds} times with "grüße 👋 \\ \n tab", then tell me what it said.`
const schema = { type: 'object', properties: { note: { type: 'string' } }, required: ['note'] }

/** What a tool answers in a round: text that escapes badly when it is escaped twice or not at all. */
const resultOf = (round: number): string => `result ${round}: “ok” {"n":${round}} 👋 \\u0041 \n`

interface Seen {
  readonly ids: string[]
  readonly notes: unknown[]
  answer: string
}

async function withChat(client: OpenAI, model: string): Promise<Seen> {
  const seen: Seen = { ids: [], notes: [], answer: '' }
  const tools = [{ type: 'function', function: { name: 'record_step', parameters: schema } }] as const
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: question }]
  for (let round = 1; round <= rounds + 1; round++) {
    const ask = { model, messages, tools: [...tools] }
    // Every other turn streams: both ways of answering must leave the same conversation.
    const reply = round % 2 === 0
      ? await client.chat.completions.create(ask)
      : await client.chat.completions.stream(ask).finalChatCompletion()
    const { message, finish_reason } = reply.choices[0]!
    const call = message.tool_calls?.[0]
    if (!call) {
      expect(finish_reason).toBe('stop')
      seen.answer = message.content ?? ''
      break
    }
    if (call.type !== 'function') throw new Error(`called a ${call.type} tool`)
    expect([finish_reason, call.function.name]).toEqual(['tool_calls', 'record_step'])
    seen.ids.push(call.id)
    seen.notes.push(JSON.parse(call.function.arguments))
    messages.push(message, { role: 'tool', tool_call_id: call.id, content: resultOf(round) })
  }
  return seen
}

async function withResponses(client: OpenAI, model: string): Promise<Seen> {
  const seen: Seen = { ids: [], notes: [], answer: '' }
  const tools = [{ type: 'function', name: 'record_step', parameters: schema, strict: false }] as const
  const input: OpenAI.Responses.ResponseInputItem[] = [{ role: 'user', content: question }]
  for (let round = 1; round <= rounds + 1; round++) {
    const ask = { model, input, tools: [...tools], store: false }
    const reply = round % 2 === 0
      ? await client.responses.create(ask)
      : await client.responses.stream(ask).finalResponse()
    expect(reply.status).toBe('completed')
    const output: readonly OpenAI.Responses.ResponseOutputItem[] = reply.output
    const call = output.find((item) => item.type === 'function_call')
    if (!call) {
      seen.answer = reply.output_text
      break
    }
    expect(call.name).toBe('record_step')
    seen.ids.push(call.call_id)
    seen.notes.push(JSON.parse(call.arguments))
    input.push(...reply.output as OpenAI.Responses.ResponseInputItem[], {
      type: 'function_call_output',
      call_id: call.call_id,
      output: resultOf(round),
    })
  }
  return seen
}

async function withMessages(client: Anthropic, model: string): Promise<Seen> {
  const seen: Seen = { ids: [], notes: [], answer: '' }
  const tools = [{ name: 'record_step', input_schema: { ...schema, type: 'object' as const } }]
  const messages: Anthropic.MessageParam[] = [{ role: 'user', content: question }]
  for (let round = 1; round <= rounds + 1; round++) {
    const ask = { model, max_tokens: 2000, messages, tools }
    const reply = round % 2 === 0 ? await client.messages.create(ask) : await client.messages.stream(ask).finalMessage()
    const call = reply.content.find((block) => block.type === 'tool_use')
    if (!call) {
      expect(reply.stop_reason).toBe('end_turn')
      seen.answer = reply.content.map((block) => block.type === 'text' ? block.text : '').join('')
      break
    }
    expect([reply.stop_reason, call.name]).toEqual(['tool_use', 'record_step'])
    seen.ids.push(call.id)
    seen.notes.push(call.input)
    messages.push({ role: 'assistant', content: reply.content }, {
      role: 'user',
      content: [{ type: 'tool_result', tool_use_id: call.id, content: resultOf(round) }],
    })
  }
  return seen
}

async function withContent(client: GoogleGenAI, model: string): Promise<Seen> {
  const seen: Seen = { ids: [], notes: [], answer: '' }
  const tools = [{ functionDeclarations: [{ name: 'record_step', parametersJsonSchema: schema }] }]
  const config = { tools, thinkingConfig: { includeThoughts: true } }
  const contents: Content[] = [{ role: 'user', parts: [{ text: question }] }]
  for (let round = 1; round <= rounds + 1; round++) {
    const ask = { model, contents, config }
    const replies: GenerateContentResponse[] = []
    if (round % 2 === 0) replies.push(await client.models.generateContent(ask))
    else for await (const piece of await client.models.generateContentStream(ask)) replies.push(piece)
    const parts = replies.flatMap((reply) => reply.candidates?.[0]?.content?.parts ?? [])
    const call = parts.find((part) => part.functionCall)?.functionCall
    expect(replies.at(-1)?.candidates?.[0]?.finishReason).toBe('STOP' as never)
    if (!call) {
      seen.answer = parts.filter((part) => !part.thought).map((part) => part.text ?? '').join('')
      break
    }
    expect(call.name).toBe('record_step')
    seen.ids.push(call.id ?? `unnamed ${round}`)
    seen.notes.push(call.args)
    const { id, name } = call
    const functionResponse = { ...(id ? { id } : {}), name: name!, response: { output: resultOf(round) } }
    contents.push({ role: 'model', parts }, { role: 'user', parts: [{ functionResponse }] })
  }
  return seen
}

/** The protocols that official clients speak. */
export const clientProtocols = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini'] as const

/** A conversation of 20 tool calls with official clients; `name` says what the model behind `open()` speaks. */
export function twentySteps(
  name: string,
  open: () => Promise<Target>,
  protocols: readonly typeof clientProtocols[number][] = clientProtocols,
): void {
  const clients = {
    'openai-chat': (url: string, apiKey: string, model: string) =>
      withChat(new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 }), model),
    'openai-responses': (url: string, apiKey: string, model: string) =>
      withResponses(new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 }), model),
    'anthropic-messages': (url: string, apiKey: string, model: string) =>
      withMessages(new Anthropic({ baseURL: url, apiKey, authToken: null, maxRetries: 0 }), model),
    'gemini': (url: string, apiKey: string, model: string) =>
      withContent(new GoogleGenAI({ apiKey, vertexai: false, httpOptions: { baseUrl: url } }), model),
  }
  for (const protocol of protocols) {
    const converse = clients[protocol]
    test(`20 tool calls, an ${protocol} client on ${name}`, async () => {
      await using target = await open()
      const seen = await converse(target.url, target.key, `${target.prefix}demo-small`)
      expect(seen.ids.length).toBe(rounds)
      expect(new Set(seen.ids).size).toBe(rounds)
      // The demo takes the quoted text of the question for the note, escapes and all.
      expect(seen.notes).toEqual(seen.notes.map(() => ({ note: 'grüße 👋 \\ \n tab' })))
      expect(seen.answer).toBe(`Done. The last of ${rounds} tool results said: ${resultOf(rounds).trim()}`)
    }, 30_000)
  }
}
