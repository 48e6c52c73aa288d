import { formatSse } from '../../base/mod.ts'
import { noTokens } from '../usage.ts'
import { eventType, isGarbage, notJson, readData } from './events.ts'
import { member, text } from './numbers.ts'
import { openaiChatWire } from './openai-chat.ts'
import type { EventRole, StreamFailure, StreamTracker, Wire } from './wire.ts'

const encoder = new TextEncoder()

class TranscriptTracker implements StreamTracker {
  readonly id = null
  tokens = noTokens
  failure: StreamFailure | null = null
  fault: string | null = null
  finished = false

  read(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): EventRole {
    const event = readData(bytes, start, end)
    const type = eventType(bytes, start, end) ?? text(event, 'type')
    if (type === 'transcript.text.done') {
      this.tokens = openaiChatWire.usage(event as Parameters<Wire['usage']>[0])
      this.finished = true
      return 'end'
    }
    const error = member(event, 'error')
    if (typeof error === 'object' && error !== null) {
      this.failure = {
        type: text(error, 'type'),
        code: text(error, 'code'),
        message: text(error, 'message') ?? 'the upstream reported an error',
      }
      return 'failure'
    }
    if (event === null && isGarbage(bytes, start, end)) {
      this.fault = notJson
      return 'fault'
    }
    return type?.startsWith('transcript.') ? 'content' : 'idle'
  }

  keepAlive(): Uint8Array<ArrayBuffer> {
    const data = JSON.stringify({ type: 'transcript.text.delta', delta: '', logprobs: [] })
    return encoder.encode(formatSse({ event: 'transcript.text.delta', data }))
  }

  failureEvent({ type, code, message }: StreamFailure): Uint8Array<ArrayBuffer> {
    return encoder.encode(formatSse({ data: JSON.stringify({ error: { message, type, param: null, code } }) }))
  }
}

/**
 * The stream of a transcription: its own events, ended by `transcript.text.done`. No protocol of its own otherwise.
 *
 * @see https://platform.openai.com/docs/api-reference/audio/createTranscription
 */
export const transcriptionWire: Wire = {
  protocol: 'openai-chat',
  tracker: () => new TranscriptTracker(),
  usage: openaiChatWire.usage,
}
