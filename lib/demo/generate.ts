import { isObject } from '../base/mod.ts'
import type { Behaviour } from './models.ts'
import type { Frame } from './pace.ts'
import { type Body, json, listOf, partsOf, tokensIn, wholeNumber } from './read.ts'
import { Refusal } from './refusal.ts'
import { pieces } from './tokens.ts'
import type { Ask, Call, Tool, Turn } from './turn.ts'

/** Input tokens of a generateContent request. */
export function generateTokens(body: Body): number {
  return tokensIn(body['systemInstruction']) + tokensIn(body['contents']) + tokensIn(body['tools'])
}

/** Reads a generateContent request. */
export function readGenerate(body: Body, model: string, behaviour: Behaviour): Ask {
  const contents = listOf(body, 'contents')
  for (const [i, content] of contents.entries()) {
    if (content['role'] !== undefined && content['role'] !== 'user' && content['role'] !== 'model') {
      throw new Refusal(400, `contents[${i}].role: Please use a valid role: user, model.`)
    }
    for (const part of partsOf(content['parts'])) checkSignature(part)
  }
  const config = under(body, 'generationConfig')
  const spoken = contents.findLastIndex((content) =>
    content['role'] !== 'model' && !partsOf(content['parts']).some((part) => isObject(part['functionResponse']))
  )
  const parts = spoken < 0 ? [] : partsOf(contents[spoken]!['parts'])
  const thinking = under(config, 'thinkingConfig')
  const calling = under(under(body, 'toolConfig'), 'functionCallingConfig')
  return {
    model,
    behaviour,
    text: String(parts.findLast((part) => part['text'] !== undefined)?.['text'] ?? ''),
    attachments: parts.filter((part) => part['text'] === undefined).length,
    results: contents.slice(spoken + 1).flatMap((content) => partsOf(content['parts']))
      .flatMap((part) => isObject(part['functionResponse']) ? [resultOf(part['functionResponse'])] : []),
    tools: toolsOf(body['tools']),
    choice: choiceOf(calling),
    parallel: true,
    inputTokens: generateTokens(body),
    cachedTokens: 0,
    cacheWriteTokens: 0,
    maxTokens: wholeNumber(config, 'maxOutputTokens'),
    stop: Array.isArray(config['stopSequences']) ? config['stopSequences'].map(String) : [],
    json: config['responseMimeType'] === 'application/json'
      ? { schema: json(lower(config['responseJsonSchema'] ?? config['responseSchema'])) }
      : null,
    think: Object.keys(thinking).length > 0 && thinking['thinkingBudget'] !== 0,
  }
}

const under = (body: Body, name: string): Body => isObject(body[name]) ? body[name] : {}

function resultOf(answer: Body): string {
  const response = under(answer, 'response')
  return String(response['output'] ?? response['error'] ?? JSON.stringify(response))
}

function toolsOf(tools: unknown): Tool[] {
  if (!Array.isArray(tools)) return []
  return tools.filter(isObject).flatMap((tool) => {
    const declared = tool['functionDeclarations']
    return Array.isArray(declared)
      ? declared.filter(isObject).map((item): Tool => ({
        name: String(item['name']),
        namespace: undefined,
        kind: 'function',
        schema: json(lower(item['parametersJsonSchema'] ?? item['parameters'])),
      }))
      : []
  })
}

/** The API's own schemas name types in upper case. */
function lower(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lower)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      key === 'type' && typeof item === 'string' ? item.toLowerCase() : lower(item),
    ]),
  )
}

function choiceOf(calling: Body): Ask['choice'] {
  const names = Array.isArray(calling['allowedFunctionNames']) ? calling['allowedFunctionNames'] : []
  if (calling['mode'] === 'NONE') return 'none'
  if (calling['mode'] !== 'ANY') return 'auto'
  return names.length === 1 ? { name: String(names[0]) } : 'required'
}

/** Stands where a call lost its signature, or never had one. */
const none = 'skip_thought_signature_validator'

/** A stand-in for a thought signature: opaque, and the same for the same words. */
function signatureOf(words: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(`demo:${words.length}:${words.slice(0, 24)}`)))
}

/** Like the real server, the demo refuses a signature that is not what it gave: on a call it must be of that call. */
function checkSignature(part: Body): void {
  const signature = part['thoughtSignature']
  if (signature === undefined || signature === none) return
  const call = isObject(part['functionCall']) ? part['functionCall'] : null
  const fits = call === null
    ? typeof signature === 'string' && atob(signature).startsWith('demo:')
    : signature === signatureOf(`${String(call['name'])}(${JSON.stringify(call['args'])})`)
  if (!fits) throw new Refusal(400, 'Corrupted thought signature.')
}

const reasons = {
  'stop': 'STOP',
  'stop-sequence': 'STOP',
  'refusal': 'SAFETY',
  'length': 'MAX_TOKENS',
  'calls': 'STOP',
} as const satisfies Record<Turn['end'], string>

/** What is the same in every piece of one answer. */
export interface GenerateIdentity {
  readonly id: string
  readonly model: string
  /** Whether the caller asked to see thoughts. */
  readonly thoughts: boolean
}

/** What {@link GenerateIdentity.thoughts} is for a body. */
export function wantsThoughts(body: Body): boolean {
  return under(under(body, 'generationConfig'), 'thinkingConfig')['includeThoughts'] === true
}

type Part = Record<string, unknown>

function callPart({ tool, input }: Call, first: boolean): Part {
  const args = JSON.parse(input) as unknown
  const words = `${tool.name}(${JSON.stringify(args)})`
  return { functionCall: { name: tool.name, args }, ...(first ? { thoughtSignature: signatureOf(words) } : {}) }
}

function piece(parts: readonly Part[], who: GenerateIdentity, ask: Ask, turn: Turn | null): Record<string, unknown> {
  return {
    candidates: [{
      content: { parts, role: 'model' },
      ...(turn === null ? {} : { finishReason: reasons[turn.end] }),
      index: 0,
    }],
    usageMetadata: {
      promptTokenCount: ask.inputTokens,
      ...(turn === null ? {} : {
        candidatesTokenCount: turn.outputTokens - turn.reasoningTokens,
        ...(turn.reasoningTokens > 0 ? { thoughtsTokenCount: turn.reasoningTokens } : {}),
      }),
      totalTokenCount: ask.inputTokens + (turn?.outputTokens ?? 0),
    },
    modelVersion: who.model,
    responseId: who.id,
  }
}

/** The whole answer as one object. */
export function generated(ask: Ask, turn: Turn, who: GenerateIdentity): Record<string, unknown> {
  const text = turn.text.join('')
  const parts: Part[] = [
    ...(turn.reasoning === null || !who.thoughts ? [] : [{ text: turn.reasoning, thought: true }]),
    ...(text === '' ? [] : [{ text, ...(turn.reasoning === null ? {} : { thoughtSignature: signatureOf(text) }) }]),
    ...turn.calls.map((call, i) => callPart(call, i === 0)),
  ]
  return piece(parts, who, ask, turn)
}

/** The answer in pieces, as a stream has them: each is an object like the whole. */
export function* generatedPieces(ask: Ask, turn: Turn, who: GenerateIdentity): Iterable<Frame> {
  const frame = (parts: readonly Part[], last: Turn | null = null): Frame => ({
    data: piece(parts, who, ask, last),
    generated: last === null,
  })
  if (turn.reasoning !== null && who.thoughts) {
    for (const text of pieces(turn.reasoning)) yield frame([{ text, thought: true }])
  }
  for (const text of turn.text) yield frame([{ text }])
  for (const [i, call] of turn.calls.entries()) yield frame([callPart(call, i === 0)])
  const signed = turn.reasoning !== null && turn.text.length > 0
    ? { thoughtSignature: signatureOf(turn.text.join('')) }
    : {}
  yield frame([{ text: '', ...signed }], turn)
}

/** The text of what a caller wants counted. */
export function countedBody(body: Body): Body {
  return isObject(body['generateContentRequest']) ? body['generateContentRequest'] : body
}
