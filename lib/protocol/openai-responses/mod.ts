/**
 * openai-responses: `POST /v1/responses`, the protocol of items.
 *
 * @see https://platform.openai.com/docs/api-reference/responses
 * @module
 */
import type { Protocol } from '../codec.ts'
import { decodeFailure, encodeFailure } from './failure.ts'
import { decodeRequest, encodeRequest } from './request.ts'
import { decodeResponse, encodeResponse } from './response.ts'
import { streamDecoder, streamEncoder } from './stream.ts'

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
