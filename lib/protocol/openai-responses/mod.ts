/**
 * openai-responses: `POST /v1/responses`, the protocol of items.
 *
 * @see https://platform.openai.com/docs/api-reference/responses
 * @module
 */
import type { Protocol } from '../codec.ts'
import { decodeFailure, encodeFailure } from './failure.ts'
import { decodeRequest } from './request/decode.ts'
import { encodeRequest } from './request/encode.ts'
import { decodeResponse, encodeResponse } from './response.ts'
import { streamDecoder } from './stream/decode.ts'
import { streamEncoder } from './stream/encode.ts'

/** The responses protocol. */
export const openaiResponses: Protocol = {
  id: 'openai-responses',
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  streamDecoder,
  streamEncoder,
  decodeFailure,
  encodeFailure,
}
