import type { ProtocolId } from '../id.ts'
import { anthropicMessagesWire } from './anthropic-messages.ts'
import { geminiWire } from './gemini.ts'
import { openaiChatWire } from './openai-chat.ts'
import { openaiResponsesWire } from './openai-responses.ts'
import type { Wire } from './wire.ts'

/** The wire half of each protocol that can be passed through; one that is missing is always translated. */
export const wires: Partial<Record<ProtocolId, Wire>> = {
  'openai-chat': openaiChatWire,
  'openai-responses': openaiResponsesWire,
  'anthropic-messages': anthropicMessagesWire,
  'gemini': geminiWire,
}
