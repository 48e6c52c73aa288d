import type { Json, JsonObject } from '../../base/mod.ts'
import { unknownFields } from '../ledger.ts'
import { objectOf, objectsOf, stringOf } from '../read.ts'
import type { PackedReasoning } from '../reasoning.ts'
import type { MediaSource, Part, ReasoningPart } from '../request.ts'
import { callIdFor, onItself, onText, unpackSignature } from './signature.ts'

/** What decoding a conversation remembers from one part to the next: which calls wait for their results. */
export interface CallBook {
  made: number
  readonly open: { readonly id: string; readonly name: string }[]
}

/** A book with no calls in it. */
export function callBook(): CallBook {
  return { made: 0, open: [] }
}

/** Fields that every kind of part may have and that the neutral form says in its own way. */
const common = ['thought', 'thoughtSignature']
const textFields = new Set([...common, 'text'])
const callFields = new Set([...common, 'functionCall'])
const responseFields = new Set([...common, 'functionResponse'])
const blobFields = new Set([...common, 'inlineData'])
const fileFields = new Set([...common, 'fileData'])

/** The parts of a content in neutral form. */
export function decodeParts(parts: Json | undefined, path: string, book: CallBook): Part[] {
  const out = objectsOf(parts).flatMap((part, i) => decodePart(part, `${path}.parts[${i}]`, book))
  // Thoughts that a caller was shown and that come back whole in a signature are not said twice.
  const packed = new Set(
    out.flatMap((part) => part.type === 'reasoning' && isForeign(part) ? [shownText(part)] : []),
  )
  if (packed.size === 0) return out
  return out.filter((part) => part.type !== 'reasoning' || part.proof !== null || !packed.has(shownText(part)))
}

const isForeign = (part: ReasoningPart): boolean => part.proof !== null && part.proof.issuer !== 'gemini'

/** What a caller is shown of reasoning. */
export function shownText({ content, summary }: Pick<PackedReasoning, 'content' | 'summary'>): string {
  return (content.length > 0 ? content : summary).join('\n\n')
}

function decodePart(part: JsonObject, path: string, book: CallBook): Part[] {
  const signature = stringOf(part.thoughtSignature)
  const foreign = signature === null ? null : unpackSignature(signature)
  const before: Part[] = (foreign ?? []).map((packed) => ({ type: 'reasoning', path, ...packed }))
  const own = foreign === null ? signature : null
  if (objectOf(part.functionCall) !== undefined) return [...before, ...decodeCall(part, path, own, book)]
  if (objectOf(part.functionResponse) !== undefined) return [decodeResponsePart(part, path, book)]
  const media = decodeMedia(part, path)
  if (media !== null) return own === null ? [...before, media] : [...before, nativePart(part, path)]
  const text = stringOf(part.text)
  if (text === null) return [...before, nativePart(part, path)]
  const extra = unknownFields(part, textFields)
  if (part.thought === true) {
    if (foreign !== null) return before
    const proof = own === null ? null : proofOf(own)
    return [{ type: 'reasoning', path, extra, id: null, content: [text], summary: [], proof }]
  }
  if (text === '' && foreign !== null) return before
  if (own === null) return [...before, { type: 'text', path, extra, text }]
  const sealed: ReasoningPart = {
    type: 'reasoning',
    path,
    id: text === '' ? onItself : onText,
    content: [],
    summary: [],
    proof: proofOf(own),
  }
  return text === '' ? [{ ...sealed, extra }] : [{ type: 'text', path, extra, text }, sealed]
}

/** A signature as the proof of reasoning that nobody is shown. */
export function proofOf(data: string): NonNullable<ReasoningPart['proof']> {
  return { issuer: 'gemini', kind: 'signature', data }
}

function decodeCall(part: JsonObject, path: string, signature: string | null, book: CallBook): Part[] {
  const call = objectOf(part.functionCall)!
  const name = stringOf(call.name) ?? ''
  const id = stringOf(call.id) || callIdFor('', book.made++)
  book.open.push({ id, name })
  const sealed: Part[] = signature === null
    ? []
    : [{ type: 'reasoning', path, id, content: [], summary: [], proof: proofOf(signature) }]
  return [...sealed, {
    type: 'tool-call',
    path,
    extra: unknownFields(part, callFields),
    nested: { functionCall: unknownFields(call, new Set(['id', 'name', 'args'])) },
    again: call.args === undefined ? { bare: true } : {},
    id,
    name,
    namespace: null,
    kind: 'function',
    input: JSON.stringify(objectOf(call.args) ?? {}),
  }]
}

function decodeResponsePart(part: JsonObject, path: string, book: CallBook): Part {
  const answer = objectOf(part.functionResponse)!
  const name = stringOf(answer.name) ?? ''
  const id = stringOf(answer.id)
  // Without an id, results answer the calls of their name in order.
  const at = book.open.findIndex((call) => id ? call.id === id : call.name === name)
  const callId = at < 0 ? id || callIdFor('x', book.made++) : book.open.splice(at, 1)[0]!.id
  const response = objectOf(answer.response) ?? {}
  const { text, isError } = readResult(response)
  const inside = `${path}.functionResponse`
  const media = objectsOf(answer.parts).map((item, i): Part =>
    decodeMedia(item, `${inside}.parts[${i}]`) ?? nativePart(item, `${inside}.parts[${i}]`)
  )
  return {
    type: 'tool-result',
    path,
    extra: unknownFields(part, responseFields),
    nested: { functionResponse: unknownFields(answer, new Set(['id', 'name', 'response', 'parts'])) },
    again: { name, response: answer.response as Json, ...(answer.parts === undefined ? {} : { parts: answer.parts }) },
    callId,
    kind: 'function',
    content: [{ type: 'text', path: `${inside}.response`, text }, ...media],
    isError,
    plain: media.length === 0,
  }
}

/** The words of a result: those of its `output` or `error`, else the whole object. */
function readResult(response: JsonObject): { readonly text: string; readonly isError: boolean } {
  const keys = Object.keys(response)
  if (keys.length === 1 && typeof response.output === 'string') return { text: response.output, isError: false }
  if (keys.length === 1 && typeof response.error === 'string') return { text: response.error, isError: true }
  return { text: JSON.stringify(response), isError: false }
}

const sounds: Readonly<Record<string, string>> = {
  'audio/wav': 'wav',
  'audio/x-wav': 'wav',
  'audio/mp3': 'mp3',
  'audio/mpeg': 'mp3',
}

/** A picture, sound or document; `null` for a part that is none. */
function decodeMedia(part: JsonObject, path: string): Part | null {
  const blob = objectOf(part.inlineData)
  if (blob !== undefined) {
    const mediaType = stringOf(blob.mimeType) ?? 'application/octet-stream'
    const data = stringOf(blob.data) ?? ''
    const found = {
      path,
      extra: unknownFields(part, blobFields),
      nested: { inlineData: unknownFields(blob, new Set(['mimeType', 'data'])) },
    }
    const { displayName: _, ...nameless } = found.nested.inlineData ?? {}
    const format = sounds[mediaType]
    if (format !== undefined) return { type: 'audio', ...found, again: { mimeType: mediaType }, data, format }
    const source: MediaSource = { kind: 'base64', mediaType, data }
    return mediaType.startsWith('image/')
      ? { type: 'image', ...found, source, detail: null }
      : { type: 'file', ...found, nested: { inlineData: nameless }, source, name: stringOf(blob.displayName) }
  }
  const file = objectOf(part.fileData)
  if (file === undefined) return null
  const mediaType = stringOf(file.mimeType)
  const uri = stringOf(file.fileUri) ?? ''
  // Uploaded files and buckets are the provider's; anything else on the web is for everybody.
  const held = /^gs:/.test(uri) || /\/v1(beta|alpha)?\/files\//.test(uri) || !/^https?:/.test(uri)
  const source: MediaSource = held ? { kind: 'file', id: uri } : { kind: 'url', url: uri }
  const found = {
    path,
    extra: unknownFields(part, fileFields),
    nested: { fileData: unknownFields(file, new Set(['mimeType', 'fileUri'])) },
    again: mediaType === null ? {} : { mimeType: mediaType },
  }
  const { displayName: _, ...nameless } = found.nested.fileData ?? {}
  return mediaType?.startsWith('image/')
    ? { type: 'image', ...found, source, detail: null }
    : { type: 'file', ...found, nested: { fileData: nameless }, source, name: stringOf(file.displayName) }
}

/** The fields that say what a part is. */
const kinds = ['executableCode', 'codeExecutionResult', 'toolCall', 'toolResponse', 'inlineData', 'fileData', 'text']

/** A part that only this protocol knows, whole. */
function nativePart(part: JsonObject, path: string): Part {
  return { type: 'native', path, value: nativeValue(part) }
}

/** See {@link nativePart}; `type` is for people. */
export function nativeValue(part: JsonObject): JsonObject {
  return { type: kinds.find((kind) => part[kind] !== undefined) ?? Object.keys(part)[0] ?? 'part', part }
}

/** Whether a part of an answer says or does something: a signature alone may come behind the words. */
export function isWord(part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return false
  return Object.entries(part).some(([name, value]) =>
    name !== 'thought' && name !== 'thoughtSignature' && (name !== 'text' || value !== '')
  )
}
