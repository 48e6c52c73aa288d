import { GwError, isObject, type JsonObject } from '../base/mod.ts'
import { rpcCodes, rpcError } from './message.ts'
import { rawEventSplitter } from './raw-events.ts'

const maxAnswerBytes = 32 * 1024 * 1024
const maxEventChars = 16 * 1024 * 1024

/**
 * A server's reply made safe for the protocol's library: bounded, and never ending without an answer to its call.
 *
 * The library waits for the answer to a call until its time is over, also when the stream that should bring it has
 * broken. A stream that ends well after events with ids may be taken up again: that it does itself.
 *
 * @param id the call that the reply answers; `null` when there is none
 */
export function guardedReply(reply: Response, id: string | number | null, server: string): Response {
  const { status, headers, body } = reply
  if (!body) return reply
  const events = (headers.get('content-type') ?? '').toLowerCase().startsWith('text/event-stream')
  const init = { status, headers }
  if (!events) return new Response(bounded(body), init)
  const reader = body.getReader()
  const splitter = rawEventSplitter(maxEventChars)
  const encoder = new TextEncoder()
  let answered = id === null
  let resumable = false
  const guarded = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        for (;;) {
          const { done, value } = await reader.read()
          if (done) break
          const found = splitter.push(value)
          if (found.length === 0) continue
          for (const event of found) {
            answered ||= answers(event.data, id)
            resumable ||= /^id:/m.test(event.raw)
            controller.enqueue(encoder.encode(event.raw))
          }
          return
        }
        if (!answered && !resumable) throw new GwError('upstream.invalid', 'the stream ended without an answer')
        controller.close()
      } catch (error) {
        const why = error instanceof GwError ? error.message : `${server} ended in the middle of a call`
        if (!answered && id !== null) {
          const message = rpcError(id, rpcCodes.upstream, why, { server })
          controller.enqueue(encoder.encode(`event: message\ndata: ${JSON.stringify(message)}\n\n`))
          controller.close()
        } else controller.error(error)
        await reader.cancel().catch(() => {})
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
  return new Response(guarded, init)
}

/** Whether the data of an event is the answer to a call. */
function answers(data: string, id: string | number | null): boolean {
  if (id === null || data === '') return false
  try {
    const message = JSON.parse(data) as JsonObject
    return isObject(message) && message.id === id && ('result' in message || 'error' in message)
  } catch {
    return false
  }
}

function bounded(body: ReadableStream<Uint8Array>): ReadableStream<Uint8Array> {
  let bytes = 0
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.length
        if (bytes > maxAnswerBytes) {
          controller.error(new GwError('upstream.invalid', `the answer is larger than ${maxAnswerBytes} bytes`))
        } else controller.enqueue(chunk)
      },
    }),
  )
}
