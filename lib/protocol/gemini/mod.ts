/**
 * gemini: `POST /v1beta/models/{model}:generateContent` and its streaming twin, also behind Vertex.
 *
 * Model and streaming stand in the path there. Inside gw the body carries them as `model` and `stream`, like every other
 * body; the envelope takes them out and puts them in.
 *
 * @see https://ai.google.dev/api/generate-content
 * @module
 */
import type { Protocol } from '../codec.ts'
import { decodeFailure, encodeFailure } from './failure.ts'
import { decodeRequest, encodeRequest } from './request.ts'
import { decodeResponse, encodeResponse } from './response.ts'
import { streamDecoder, streamEncoder } from './stream.ts'

/** The generateContent protocol. */
export const gemini: Protocol = {
  id: 'gemini',
  decodeRequest,
  encodeRequest,
  decodeResponse,
  encodeResponse,
  streamDecoder,
  streamEncoder,
  decodeFailure,
  encodeFailure,
}
