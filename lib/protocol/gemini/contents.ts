import type { Json, JsonObject } from '../../base/mod.ts'
import { loseMark } from '../cache.ts'
import type { EncodeOptions } from '../codec.ts'
import { compact } from '../read.ts'
import { toBase64 } from '../reasoning.ts'
import type {
  AudioPart,
  FilePart,
  ImagePart,
  InferenceRequest,
  MediaSource,
  Message,
  Part,
  ReasoningPart,
  ToolCallPart,
  ToolResultPart,
} from '../request.ts'
import { argumentsObject, toolSearchName, wrapCustomInput } from '../tools.ts'
import { mergeTurns } from '../turns.ts'
import { shownText } from './parts.ts'
import { isMadeId, onItself, onText } from './signature.ts'
import { isThirdGeneration } from './thinking.ts'

/** A part being written. */
type Draft = Record<string, Json>

interface Pen extends EncodeOptions {
  readonly third: boolean
  /** Names of the calls that the results answer, by id. */
  readonly calls: ReadonlyMap<string, string>
}

/**
 * Stands where a signature is missing: a call that another model made, or that lost its signature on the way.
 *
 * @see https://ai.google.dev/gemini-api/docs/thought-signatures
 */
const noSignature = 'skip_thought_signature_validator'

/** The system text. */
export function encodeInstruction(
  parts: readonly Part[],
  request: InferenceRequest,
  options: EncodeOptions,
): JsonObject | undefined {
  const { ledger } = options
  const pen: Pen = { ...options, third: false, calls: new Map() }
  const out = parts.flatMap((part) => encodePart(part, pen))
  const role = ledger.same && request.again?.systemRole !== undefined ? { role: request.again.systemRole } : {}
  const extras = ledger.inner(request, 'systemInstruction')
  if (out.length === 0 && !(ledger.same && (extras !== undefined || 'role' in role))) return undefined
  return { ...role, parts: out, ...extras } as JsonObject
}

/** The conversation. */
export function encodeContents(
  conversation: readonly Message[],
  request: InferenceRequest,
  options: EncodeOptions,
): JsonObject[] {
  const { ledger, names } = options
  const calls = new Map<string, string>()
  for (const { parts } of request.messages) {
    for (const part of parts) {
      if (part.type !== 'tool-call') continue
      calls.set(part.id, part.kind === 'tool-search' ? toolSearchName : names.flat(part.name, part.namespace))
    }
  }
  const pen: Pen = { ...options, third: isThirdGeneration(options.model), calls }
  return mergeTurns(conversation, ledger).flatMap((message): JsonObject[] => {
    const extras = ledger.extras(message)
    const system = message.role === 'system' || message.role === 'developer'
    if (system && !ledger.same) {
      ledger.lose(`${message.path}.role`, 'a system message amid the conversation became a user message')
    }
    const parts = encodeParts(message, pen)
    if (parts.length === 0 && !ledger.same) return []
    const role = message.role === 'assistant' ? 'model' : 'user'
    return [compact({ role: ledger.same ? message.again?.role : role, parts, ...extras })]
  })
}

/** The parts of a message, each signature on the part that it came on. */
function encodeParts(message: Message, pen: Pen): JsonObject[] {
  const { ledger } = pen
  const out: Draft[] = []
  const called = new Set(message.parts.flatMap((part) => part.type === 'tool-call' ? [part.id] : []))
  const onCalls = new Map<string, string>()
  for (const part of message.parts) {
    if (isSeal(part) && part.id !== null && called.has(part.id)) onCalls.set(part.id, part.proof!.data)
  }
  let waiting: string | null = null
  let firstCall = true
  const media: Draft[] = []
  for (const part of message.parts) {
    if (isSeal(part)) {
      ledger.extras(part)
      const { data } = part.proof!
      if (part.id !== null && onCalls.has(part.id)) continue
      if (part.id === onItself) out.push({ text: '', thoughtSignature: data })
      else {
        const said = out.findLast((draft) => typeof draft.text === 'string' && draft.thought === undefined)
        if (said !== undefined && said.thoughtSignature === undefined) said.thoughtSignature = data
        else waiting = data
      }
      continue
    }
    const drafts = part.type === 'tool-result' ? encodeResult(part, pen, media) : encodePart(part, pen)
    const draft = drafts[0]
    if (part.type === 'tool-call' && draft !== undefined) {
      const signature = onCalls.get(part.id)
      if (signature !== undefined) draft.thoughtSignature = signature
      else if (firstCall && pen.third && !ledger.same) draft.thoughtSignature = noSignature
      firstCall = false
    } else if (part.type === 'text' && draft !== undefined && waiting !== null) {
      draft.thoughtSignature = waiting
      waiting = null
    }
    out.push(...drafts)
  }
  if (waiting !== null) out.push({ text: '', thoughtSignature: waiting })
  return [...out, ...media]
}

/** A signature without words of its own. */
function isSeal(part: Part): part is ReasoningPart {
  return part.type === 'reasoning' && part.proof?.issuer === 'gemini' && part.content.length === 0 &&
    (part.id === null || part.id === onText || part.id === onItself || part.summary.length === 0)
}

function encodePart(part: Part, pen: Pen): Draft[] {
  const { ledger } = pen
  loseMark(part, ledger)
  switch (part.type) {
    case 'text': {
      const extras = ledger.extras(part)
      // Empty text says nothing.
      if (part.text === '' && !ledger.same) return []
      return [{ text: part.text, ...extras } as Draft]
    }
    case 'refusal':
      ledger.lose(part.path, 'a refusal became plain text')
      return part.text === '' ? [] : [{ text: part.text }]
    case 'image':
    case 'file':
    case 'audio':
      return encodeMedia(part, pen)
    case 'reasoning':
      return encodeReasoning(part, pen)
    case 'tool-call':
      return [encodeCall(part, pen)]
    case 'tool-result':
      return encodeResult(part, pen, [])
    case 'native': {
      const raw = part.value.part
      if (ledger.same && raw !== undefined) return [{ ...(raw as JsonObject) } as Draft]
      ledger.lose(part.path, `only ${ledger.source} knows ${String(part.value.type)}`)
      return []
    }
    case 'additional-tools':
      return []
  }
}

/** Thoughts: the issuer's own with their signature, those of nobody in particular as thoughts, others not at all. */
function encodeReasoning(part: ReasoningPart, { ledger }: Pen): Draft[] {
  const extras = ledger.extras(part)
  const text = shownText(part)
  if (part.proof === null) return text === '' && !ledger.same ? [] : [{ thought: true, text, ...extras } as Draft]
  if (part.proof.issuer === 'gemini') {
    return [{ thought: true, text, thoughtSignature: part.proof.data, ...extras } as Draft]
  }
  ledger.lose(part.path, 'the proof belongs to another issuer')
  return []
}

function encodeCall(part: ToolCallPart, { ledger, names, ids }: Pen): Draft {
  const extras = ledger.extras(part)
  const name = part.kind === 'tool-search' ? toolSearchName : names.flat(part.name, part.namespace)
  const functionCall = compact({
    id: isMadeId(part.id) ? undefined : ids.short(part.id),
    name,
    args: ledger.same && part.again?.bare === true ? undefined : inputOf(part, ledger),
    ...ledger.inner(part, 'functionCall'),
  })
  return { functionCall, ...extras } as Draft
}

function inputOf(part: ToolCallPart, ledger: EncodeOptions['ledger']): Json {
  if (part.kind === 'custom') return wrapCustomInput(part.input)
  const { value, broken } = argumentsObject(part.input)
  if (broken) ledger.lose(part.path, 'the arguments are no JSON object: wrapped in one')
  return value as JsonObject
}

/** A result; media that older models do not take inside it are put to `later`. */
function encodeResult(part: ToolResultPart, pen: Pen, later: Draft[]): Draft[] {
  const { ledger, ids, calls } = pen
  loseMark(part, ledger)
  const extras = ledger.extras(part)
  const id = isMadeId(part.callId) ? undefined : ids.short(part.callId)
  if (ledger.same) {
    const { name, response, parts } = part.again ?? {}
    const functionResponse = compact({ id, name, response, parts, ...ledger.inner(part, 'functionResponse') })
    return [{ functionResponse, ...extras } as Draft]
  }
  const texts: string[] = []
  const media: JsonObject[] = []
  for (const item of part.content) {
    if (item.type === 'text') {
      ledger.extras(item)
      loseMark(item, ledger)
      texts.push(item.text)
      continue
    }
    const drafts = encodePart(item, pen)
    if (item.type !== 'image' && item.type !== 'file') later.push(...drafts)
    else if (pen.third) media.push(...drafts)
    else if (drafts.length > 0) {
      ledger.lose(item.path, 'gemini results hold text only: moved behind the results')
      later.push(...drafts)
    }
  }
  const text = texts.join('\n')
  return [{
    functionResponse: compact({
      id,
      name: calls.get(part.callId) ?? 'unknown',
      response: part.isError ? { error: text } : { output: text },
      parts: media.length > 0 ? media : undefined,
    }),
  } as Draft]
}

/** How each protocol calls the name of a file. */
const nameFields: Readonly<Record<string, string>> = {
  'openai-chat': 'file.filename',
  'openai-responses': 'filename',
  'anthropic-messages': 'title',
}

function encodeMedia(part: ImagePart | FilePart | AudioPart, pen: Pen): Draft[] {
  const { ledger } = pen
  const extras = ledger.extras(part)
  if (part.type === 'audio') {
    const mimeType = ledger.same ? part.again?.mimeType ?? `audio/${part.format}` : `audio/${part.format}`
    return [{ inlineData: { mimeType, data: part.data, ...ledger.inner(part, 'inlineData') }, ...extras } as Draft]
  }
  if (part.source.kind === 'file' && !ledger.same) {
    ledger.lose(part.path, 'file ids belong to the provider that holds the file')
    return []
  }
  if (!ledger.same) {
    if (part.type === 'file' && part.name !== null) {
      ledger.lose(`${part.path}.${nameFields[ledger.source] ?? 'name'}`, 'gemini takes files without names')
    }
    if (part.type === 'image' && part.detail !== null && part.detail !== 'auto') {
      const path = ledger.source === 'openai-chat' ? `${part.path}.image_url.detail` : `${part.path}.detail`
      ledger.lose(path, 'no equivalent in gemini')
    }
  }
  const kind = part.source.kind === 'url' || part.source.kind === 'file' ? 'fileData' : 'inlineData'
  const media = ledger.same && kind === 'fileData'
    ? compact({ mimeType: part.again?.mimeType, fileUri: uriOf(part.source) })
    : sourceOf(part.source, part.type)
  const named = ledger.same && part.type === 'file' && part.name !== null ? { displayName: part.name } : {}
  return [{ [kind]: { ...media, ...named, ...ledger.inner(part, kind) }, ...extras } as Draft]
}

function uriOf(source: MediaSource): string {
  return source.kind === 'url' ? source.url : source.kind === 'file' ? source.id : ''
}

function sourceOf(source: MediaSource, type: 'image' | 'file'): JsonObject {
  switch (source.kind) {
    case 'base64':
      return { mimeType: source.mediaType, data: source.data }
    case 'text':
      return { mimeType: source.mediaType, data: toBase64(source.text) }
    case 'url':
      return { mimeType: typeOf(source.url, type), fileUri: source.url }
    case 'file':
      return { fileUri: source.id }
  }
}

const endings: Readonly<Record<string, string>> = {
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
  heic: 'image/heic',
  pdf: 'application/pdf',
  txt: 'text/plain',
  md: 'text/markdown',
  csv: 'text/csv',
  html: 'text/html',
  json: 'application/json',
  mp4: 'video/mp4',
}

/** The API wants a type for everything on the web; a name without an ending is taken for the commonest. */
function typeOf(url: string, type: 'image' | 'file'): string {
  const ending = /\.([a-z0-9]{2,5})(?:[?#]|$)/i.exec(url)?.[1]?.toLowerCase() ?? ''
  return endings[ending] ?? (type === 'image' ? 'image/jpeg' : 'application/pdf')
}
