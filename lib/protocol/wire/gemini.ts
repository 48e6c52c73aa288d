import { formatSse } from '../../base/mod.ts'
import { addTokens, noTokens, type TokenCounts } from '../usage.ts'
import { dataStart, markFinder, readData } from './events.ts'
import { count, member, text } from './numbers.ts'
import { errorOf, ownGemini } from './own-gemini.ts'
import type { EventRole, StreamFailure, StreamTracker, Wire } from './wire.ts'

const encoder = new TextEncoder()

/**
 * Counts of an answer. Thoughts stand beside the answer and what the provider's tools read beside the prompt: both are
 * added. Where tokens are only counted, the total is all there is.
 *
 * @see https://ai.google.dev/api/generate-content#UsageMetadata
 */
function contentUsage(usage: unknown): Partial<TokenCounts> {
  if (typeof usage !== 'object' || usage === null) return {}
  const prompt = count(member(usage, 'promptTokenCount'))
  const tools = count(member(usage, 'toolUsePromptTokenCount'))
  const said = count(member(usage, 'candidatesTokenCount'))
  const thought = count(member(usage, 'thoughtsTokenCount'))
  return {
    inputTokens: prompt === null && tools === null ? null : (prompt ?? 0) + (tools ?? 0),
    outputTokens: said === null && thought === null ? null : (said ?? 0) + (thought ?? 0),
    cachedInputTokens: count(member(usage, 'cachedContentTokenCount')),
    reasoningTokens: thought,
  }
}

/** Whether a part is the model's work: anything but an empty text. */
function isContent(part: unknown): boolean {
  if (typeof part !== 'object' || part === null) return false
  return Object.entries(part).some(([name, value]) => name !== 'thought' && (name !== 'text' || value !== ''))
}

function tracker(): StreamTracker {
  const marked = markFinder(['"finishReason"', '"error"', '"blockReason"'])
  let tokens = noTokens
  let failure: StreamFailure | null = null
  let content = false
  let ended = false
  let id = ''
  let model = ''
  // Every event says the counts so far: only those of the last one are read, when they are asked for.
  let last: Uint8Array | null = null
  let lastStart = 0
  let lastEnd = 0

  function counted(): TokenCounts {
    if (last === null) return tokens
    const piece = readData(last, lastStart, lastEnd)
    last = null
    if (piece) tokens = addTokens(tokens, contentUsage(piece['usageMetadata']))
    return tokens
  }

  return {
    read(bytes, start, end): EventRole {
      if (dataStart(bytes, start, end) < 0) return 'idle'
      // Once the model has begun, an event is opened only for what it may say besides.
      if (content && !marked(bytes)) {
        last = bytes
        lastStart = start
        lastEnd = end
        return 'content'
      }
      last = null
      const piece = readData(bytes, start, end)
      if (!piece) return content ? 'content' : 'idle'
      const error = piece['error']
      if (error !== undefined && error !== null) {
        failure = {
          type: text(error, 'status'),
          code: typeof member(error, 'code') === 'number' ? String(member(error, 'code')) : text(error, 'code'),
          message: text(error, 'message') ?? 'the upstream reported an error',
        }
        return 'failure'
      }
      id ||= text(piece, 'responseId') ?? ''
      model ||= text(piece, 'modelVersion') ?? ''
      tokens = addTokens(tokens, contentUsage(piece['usageMetadata']))
      const blocked = text(piece['promptFeedback'], 'blockReason')
      const candidates = piece['candidates']
      for (const candidate of Array.isArray(candidates) ? candidates as unknown[] : []) {
        const reason = text(candidate, 'finishReason')
        const parts = member(member(candidate, 'content'), 'parts')
        if (Array.isArray(parts) && (parts as unknown[]).some(isContent)) content = true
        // Stopping of itself with nothing said is no answer yet; any other reason is one.
        if (reason !== null && reason !== 'STOP') content = true
        ended ||= reason !== null
      }
      if (blocked !== null) content = ended = true
      return content ? 'content' : 'opening'
    },
    get tokens() {
      return counted()
    },
    get id() {
      return id === '' ? null : id
    },
    get failure() {
      return failure
    },
    get finished() {
      return ended && (content || (counted().outputTokens ?? 0) > 0)
    },
    keepAlive: () =>
      encoder.encode(formatSse({
        data: JSON.stringify({
          candidates: [{ content: { parts: [{ text: '' }], role: 'model' }, index: 0 }],
          modelVersion: model,
          ...(id === '' ? {} : { responseId: id }),
        }),
      })),
    failureEvent: ({ type, code, message }) =>
      encoder.encode(formatSse({ data: JSON.stringify({ error: errorOf(type, code, message) }) })),
  }
}

/** generateContent and its stream of the same objects. */
export const geminiWire: Wire = {
  protocol: 'gemini',
  usageField: 'usageMetadata',
  own: ownGemini,
  tracker,
  usage: (body) => addTokens(noTokens, contentUsage(body['usageMetadata'])),
}
