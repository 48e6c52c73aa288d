import type { JsonObject } from '../../base/mod.ts'
import { objectOf } from '../read.ts'
import { eventBytes, eventText, noBytes, type OwnStream, type OwnStreamOptions, rewriter } from './own-stream.ts'

/**
 * Message events. The id stands in `message_start` alone; so do the input tokens of many upstreams, which here come with
 * the closing `message_delta`, where clients take them from as well.
 */
export function ownMessages({ stem, model }: OwnStreamOptions): OwnStream {
  const id = `msg_${stem}`
  const ping = eventBytes({ type: 'ping' }, true)
  return {
    id,
    closing: null,
    start: () =>
      eventBytes({
        type: 'message_start',
        message: {
          id,
          type: 'message',
          role: 'assistant',
          model,
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: 0 },
        },
      }, true),
    keepAlive: () => ping,
    failureEvent: ({ type, message }) =>
      eventBytes({ type: 'error', error: { type: type ?? 'api_error', message } }, true),
    continuation() {
      let counted: JsonObject = {}
      return {
        take: rewriter((data) => {
          if (data.type === 'message_start') {
            counted = objectOf(objectOf(data.message)?.usage) ?? counted
            return ''
          }
          if (data.type !== 'message_delta') return eventText(data, true)
          const usage = { ...counted }
          for (const [name, value] of Object.entries(objectOf(data.usage) ?? {})) {
            if (value !== null) usage[name] = value
          }
          return eventText({ ...data, usage }, true)
        }),
        end: () => noBytes,
      }
    },
  }
}
