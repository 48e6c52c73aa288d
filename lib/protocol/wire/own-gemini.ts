import { eventBytes, eventText, noBytes, type OwnStream, type OwnStreamOptions, rewriter } from './own-stream.ts'

/** Pieces of an answer: each of them carries the id. There is no event that only begins or ends a stream. */
export function ownGemini({ stem, model }: OwnStreamOptions): OwnStream {
  // A piece without parts is an invalid answer to the official clients.
  const candidates = [{ content: { parts: [{ text: '' }], role: 'model' }, index: 0 }]
  const alive = eventBytes({ candidates, modelVersion: model, responseId: stem }, false)

  return {
    id: stem,
    closing: null,
    start: () => alive,
    keepAlive: () => alive,
    failureEvent: ({ type, code, message }) => eventBytes({ error: errorOf(type, code, message) }, false),
    continuation: () => ({
      take: rewriter((data) =>
        data.error !== undefined && data.error !== null
          ? eventText(data, false)
          : eventText({ ...data, responseId: stem }, false)
      ),
      end: () => noBytes,
    }),
  }
}

/** Status words, for the codes of a relay that was given none. */
const words: Readonly<Record<string, string>> = { cancelled: 'CANCELLED', upstream_timeout: 'DEADLINE_EXCEEDED' }

/** Numbers of the status words. */
const numbers: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  RESOURCE_EXHAUSTED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
}

/** The error object of a stream that broke. */
export function errorOf(
  type: string | null,
  code: string | null,
  message: string,
): { readonly code: number; readonly message: string; readonly status: string } {
  const status = type !== null && type in numbers ? type : words[code ?? ''] ?? 'INTERNAL'
  return { code: numbers[status] ?? 500, message, status }
}
