import type { JsonObject } from '../../base/mod.ts'
import type { UpstreamFailure } from '../failure.ts'
import { errorObject } from '../openai-chat/failure.ts'

/** Both OpenAI protocols describe errors alike. */
export { decodeFailure, encodeFailure } from '../openai-chat/failure.ts'

/** The `error` of a response that failed. */
export function responseError(failure: UpstreamFailure): JsonObject {
  const { code, message } = errorObject(failure)
  return { code: code!, message: message! }
}
