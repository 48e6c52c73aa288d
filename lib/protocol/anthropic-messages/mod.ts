/**
 * anthropic-messages: `POST /v1/messages`, also inside the envelopes of two clouds.
 *
 * @see https://docs.anthropic.com/en/api/messages
 * @module
 */
import type { Protocol } from '../codec.ts'
import { decodeFailure, encodeFailure } from './failure.ts'
import { decodeRequest } from './request/decode.ts'
import { encodeRequest } from './request/encode.ts'
import { decodeResponse, encodeResponse } from './response.ts'
import { streamDecoder } from './stream/decode.ts'
import { streamEncoder } from './stream/encode.ts'

/** The messages protocol. */
export const anthropicMessages: Protocol = {
  id: 'anthropic-messages',
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  streamDecoder,
  streamEncoder,
  decodeFailure,
  encodeFailure,
}
