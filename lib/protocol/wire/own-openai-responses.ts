import type { JsonObject } from '../../base/mod.ts'
import { echo, responseId } from '../openai-responses/echo.ts'
import { objectOf, stringOf } from '../read.ts'
import { eventBytes, eventText, noBytes, type OwnStream, type OwnStreamOptions, rewriter } from './own-stream.ts'

/** Events that say that a response begins. */
const openings: ReadonlySet<unknown> = new Set(['response.created', 'response.queued', 'response.in_progress'])
const closings: ReadonlySet<unknown> = new Set(['response.completed', 'response.incomplete'])

/** Response events: all are numbered, and those that show the response name it. */
export function ownResponse({ stem, createdAt, model, body }: OwnStreamOptions): OwnStream {
  const id = responseId(stem)
  let sequence = 0
  let closing: JsonObject | null = null
  const running = (status: string, error: JsonObject | null): JsonObject => ({
    id,
    object: 'response',
    created_at: createdAt,
    status,
    error,
    incomplete_details: null,
    model,
    output: [],
    usage: null,
    ...echo(body),
  })
  const event = (type: string, response: JsonObject): Uint8Array<ArrayBuffer> =>
    eventBytes({ type, sequence_number: sequence++, response }, true)

  /** An error of the stream as the end that a response has for it. */
  function failed({ code, message }: JsonObject): string {
    const error = { code: stringOf(code) ?? 'server_error', message: stringOf(message) ?? 'the upstream failed' }
    return eventText({ type: 'response.failed', sequence_number: sequence++, response: running('failed', error) }, true)
  }
  function rewrite(data: JsonObject): string {
    if (openings.has(data.type)) return ''
    if (data.type === 'error') return failed(objectOf(data.error) ?? data)
    const response = objectOf(data.response)
    const known = response && { ...response, id, created_at: createdAt }
    if (known && closings.has(data.type)) closing = known
    return eventText({
      ...data,
      sequence_number: sequence++,
      ...(known ? { response: known } : {}),
      ...(data.response_id === undefined ? {} : { response_id: id }),
    }, true)
  }

  return {
    id,
    get closing() {
      return closing
    },
    start: () => event('response.created', running('in_progress', null)),
    // Of the events that every client knows, the one that changes nothing.
    keepAlive: () => event('response.in_progress', running('in_progress', null)),
    failureEvent: ({ code, message }) =>
      event('response.failed', running('failed', { code: code ?? 'server_error', message })),
    continuation: () => ({ take: rewriter(rewrite), end: () => noBytes }),
  }
}
