import { isObject, type Json, type JsonObject } from '../base/mod.ts'
import type { ProtocolId } from './id.ts'
import type { EditedBody } from './middle-out.ts'
import type { Loss } from './loss.ts'

const reason = 'only the account that issued it can read it, and another one serves'

/**
 * A body without the reasoning that only its issuer can read: signed or redacted thinking, encrypted reasoning items,
 * thought signatures. `null` when it holds none.
 *
 * A provider that thinks wants its own thinking before a tool call that is being answered; where that is taken out, the
 * wish to think is too, for this one turn.
 */
export function stripReasoning(protocol: ProtocolId, body: JsonObject): EditedBody | null {
  const losses: Loss[] = []
  const lose = (path: string): void => void losses.push({ path, reason })
  const out: Record<string, Json | undefined> = { ...body }
  if (protocol === 'openai-responses') {
    if (Array.isArray(body.input)) {
      out.input = body.input.filter((item, i) => {
        const sealed = isObject(item) && item.type === 'reasoning'
        if (sealed) lose(`input[${i}]`)
        return !sealed
      }) as Json
    }
  } else if (protocol === 'gemini') {
    if (Array.isArray(body.contents)) {
      out.contents = (body.contents as Json[]).map((content, i) => stripContent(content, `contents[${i}]`, lose))
    }
  } else if (Array.isArray(body.messages)) {
    out.messages = (body.messages as Json[]).flatMap((message, i) => stripMessage(message, `messages[${i}]`, lose))
    if (losses.length > 0 && protocol === 'anthropic-messages' && body.thinking !== undefined) {
      if (answersTool((body.messages as Json[]).at(-1))) {
        delete out.thinking
        lose('thinking')
      }
    }
  }
  return losses.length === 0 ? null : { body: out as JsonObject, losses }
}

function stripMessage(message: Json, path: string, lose: (path: string) => void): Json[] {
  if (!isObject(message)) return [message]
  const out: Record<string, Json | undefined> = { ...message } as JsonObject
  if (out.reasoning_details !== undefined) {
    delete out.reasoning_details
    lose(`${path}.reasoning_details`)
  }
  if (!Array.isArray(message.content)) return [out as JsonObject]
  const content = (message.content as Json[]).filter((block, i) => {
    const sealed = isObject(block) && (block.type === 'thinking' || block.type === 'redacted_thinking')
    if (sealed) lose(`${path}.content[${i}]`)
    return !sealed
  })
  if (content.length === 0 && message.content.length > 0) return []
  return [{ ...out, content } as JsonObject]
}

/** A content without its signatures; the thoughts themselves are for whoever reads them. */
function stripContent(content: Json, path: string, lose: (path: string) => void): Json {
  if (!isObject(content) || !Array.isArray(content.parts)) return content
  const parts = (content.parts as Json[]).flatMap((part, i): Json[] => {
    if (!isObject(part)) return [part]
    const { thoughtSignature, thought_signature, ...rest } = part as JsonObject
    if (thoughtSignature === undefined && thought_signature === undefined) return [part]
    lose(`${path}.parts[${i}].thoughtSignature`)
    // An empty text that only carried one is nothing without it.
    return Object.keys(rest).length === 0 || rest.text === '' ? [] : [rest]
  })
  return { ...content, parts } as JsonObject
}

const answersTool = (message: Json | undefined): boolean =>
  isObject(message) && Array.isArray(message.content) &&
  message.content.some((block) => isObject(block) && block.type === 'tool_result')
