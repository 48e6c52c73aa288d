import type { Ledger } from './ledger.ts'
import type { InferenceRequest, Message, Part } from './request.ts'

/**
 * The request's system text and the conversation after it.
 *
 * System and developer messages before the first turn belong to the system text; later ones stay where they are, so that
 * a growing conversation keeps its prefix. In its own protocol everything stays as written.
 */
export function leadingSystem(
  request: InferenceRequest,
  ledger: Ledger,
): { readonly system: readonly Part[]; readonly rest: readonly Message[] } {
  if (ledger.same) return { system: request.instructions, rest: request.messages }
  const system = [...request.instructions]
  let first = 0
  for (const message of request.messages) {
    if ((message.role !== 'system' && message.role !== 'developer') || message.parts.length === 0) break
    system.push(...message.parts.map((part) => withExtra(part, message)))
    first++
  }
  return { system: systemText(system, ledger), rest: request.messages.slice(first) }
}

/** What of a system message is text, which is all that most protocols take there; the rest is in the ledger. */
export function systemText(parts: readonly Part[], ledger: Ledger): readonly Part[] {
  return parts.filter((part) => {
    // Tools that it brings stand among the tools.
    if (part.type !== 'text' && part.type !== 'additional-tools') {
      ledger.lose(part.path, `${ledger.target} instructions are text`)
    }
    return part.type === 'text'
  })
}

/** The message's own unknown fields ride on its part, so that the encoder accounts for them. */
function withExtra(part: Part, message: Message): Part {
  if (message.extra === undefined || part !== message.parts[0]) return part
  return { ...part, path: message.path, extra: { ...message.extra, ...part.extra } }
}

/**
 * Messages as turns: what the model said in one go is one message, and so are the results of its calls.
 *
 * Items of one answer stand apart in openai-responses, and results stand apart in openai-chat. In its own protocol
 * everything stays as written.
 */
export function mergeTurns(messages: readonly Message[], ledger: Ledger): readonly Message[] {
  if (ledger.same) return messages
  const out: Message[] = []
  let parts: Part[] | null = null
  for (const message of messages) {
    if (message.parts.every((part) => part.type === 'additional-tools') && message.parts.length > 0) continue
    const last = out.at(-1)
    const joins = last !== undefined && parts !== null && (
      (last.role === 'assistant' && message.role === 'assistant') ||
      (last.role === 'tool' && message.role === 'tool')
    )
    if (!joins) {
      parts = [...message.parts]
      out.push({ ...message, parts })
      continue
    }
    ledger.extras(message)
    parts!.push(...message.parts)
  }
  return out
}
