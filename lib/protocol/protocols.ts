import { GwError } from '../base/mod.ts'
import { anthropicMessages } from './anthropic-messages/mod.ts'
import type { Protocol } from './codec.ts'
import { gemini } from './gemini/mod.ts'
import type { ProtocolId } from './id.ts'
import { openaiChat } from './openai-chat/mod.ts'
import { openaiResponses } from './openai-responses/mod.ts'

/** Every wire format that gw reads and writes: one line per folder. @internal */
export const protocols: Readonly<Partial<Record<ProtocolId, Protocol>>> = {
  'openai-chat': openaiChat,
  'openai-responses': openaiResponses,
  'anthropic-messages': anthropicMessages,
  'gemini': gemini,
}

/** The implementation of a protocol. */
export function protocolOf(id: ProtocolId): Protocol {
  const protocol = protocols[id]
  if (protocol === undefined) throw new GwError('request.unsupported', `gw does not translate ${id}`)
  return protocol
}
