/**
 * openai-chat: `POST /v1/chat/completions`, the protocol that most providers speak.
 *
 * @see https://platform.openai.com/docs/api-reference/chat
 * @module
 */
import type { Protocol } from '../codec.ts'
import { decodeFailure, encodeFailure } from './failure.ts'
import { decodeRequest } from './request/decode.ts'
import { encodeRequest } from './request/encode.ts'
import { decodeResponse, encodeResponse } from './response.ts'
import { streamDecoder } from './stream/decode.ts'
import { streamEncoder } from './stream/encode.ts'

/** The chat completions protocol. */
export const openaiChat: Protocol = {
  id: 'openai-chat',
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  streamDecoder,
  streamEncoder,
  decodeFailure,
  encodeFailure,
}
