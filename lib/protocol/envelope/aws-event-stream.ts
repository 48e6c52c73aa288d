import { EventStreamCodec } from '@smithy/eventstream-codec'
import { concat, formatSse, GwError } from '../../base/mod.ts'
import { fromBase64, toBase64 } from '../reasoning.ts'

const utf8 = new TextDecoder()
const bytesOf = new TextEncoder()
const codecOf = (): EventStreamCodec =>
  new EventStreamCodec((bytes) => utf8.decode(bytes as Uint8Array), (text) => bytesOf.encode(text))

/** Reads AWS's binary event stream as the text event stream that it carries. */
export interface AwsFrames {
  /** The wire text of the events that these bytes complete. @throws GwError `upstream.invalid` for a broken frame */
  push(bytes: Uint8Array): string
  /** Whether bytes are held that no frame has closed. */
  readonly pending: boolean
}

/** The longest frame that is read. */
const maxFrameBytes = 16 * 1024 * 1024

/** Error types of this protocol for the exceptions that the stream can carry. */
const exceptions: Readonly<Record<string, string>> = {
  throttlingException: 'rate_limit_error',
  serviceUnavailableException: 'overloaded_error',
  modelTimeoutException: 'timeout_error',
  validationException: 'invalid_request_error',
  accessDeniedException: 'permission_error',
}

/**
 * Unpacks `application/vnd.amazon.eventstream`. Each frame holds an event of the messages protocol in base64, or an
 * exception, which becomes that protocol's `error` event. Frames are cut at their own length, so any split of the bytes
 * gives the same events; checksums are checked.
 *
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
 */
export function awsFrames(): AwsFrames {
  const codec = codecOf()
  let held: Uint8Array[] = []
  let size = 0
  /** How much must be there before anything can be read. */
  let wanted = 4
  return {
    push(bytes) {
      held.push(bytes)
      size += bytes.length
      // Put together once for each frame, however small the pieces are that it comes in.
      if (size < wanted) return ''
      const whole = held.length === 1 ? held[0]! : concat(held, size)
      let out = ''
      let at = 0
      wanted = 4
      while (whole.length - at >= 4) {
        const length = new DataView(whole.buffer, whole.byteOffset + at, 4).getUint32(0)
        if (length < 16 || length > maxFrameBytes) {
          throw new GwError('upstream.invalid', `a frame of ${length} bytes in the event stream`)
        }
        if (whole.length - at < length) {
          wanted = length
          break
        }
        out += readFrame(codec, whole.subarray(at, at + length))
        at += length
      }
      held = at === whole.length ? [] : [whole.slice(at)]
      size = whole.length - at
      return out
    },
    get pending() {
      return size > 0
    },
  }
}

function readFrame(codec: EventStreamCodec, frame: Uint8Array): string {
  try {
    const { headers, body } = codec.decode(frame)
    const text = utf8.decode(body)
    const value: unknown = text === '' ? {} : JSON.parse(text)
    const kind = headers[':message-type']?.value
    if (kind === 'exception' || kind === 'error') {
      const name = String(headers[':exception-type']?.value ?? headers[':error-code']?.value ?? '')
      const message = String((value as { message?: unknown }).message ?? headers[':error-message']?.value ?? name)
      const error = { type: exceptions[name] ?? 'api_error', message }
      return formatSse({ event: 'error', data: JSON.stringify({ type: 'error', error }) })
    }
    const packed = (value as { bytes?: unknown }).bytes
    if (typeof packed !== 'string') return ''
    const data = fromBase64(packed)
    return formatSse({ event: String((JSON.parse(data) as { type?: unknown }).type ?? 'message'), data })
  } catch (cause) {
    throw new GwError('upstream.invalid', 'a frame of the event stream does not hold together', { cause })
  }
}

/** Names of exceptions for the error types of the messages protocol. */
const exceptionNames: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(exceptions).map(([name, type]) => [type, name]),
)

/** The `error` event of the messages protocol as the frame in which Bedrock says the same. */
export function awsException(data: string): Uint8Array {
  const { error } = JSON.parse(data) as { error?: { type?: string; message?: string } }
  return codecOf().encode({
    headers: {
      ':exception-type': {
        type: 'string',
        value: exceptionNames[error?.type ?? ''] ?? 'modelStreamErrorException',
      },
      ':content-type': { type: 'string', value: 'application/json' },
      ':message-type': { type: 'string', value: 'exception' },
    },
    body: bytesOf.encode(JSON.stringify({ message: error?.message ?? 'the stream broke' })),
  })
}

/** One event of the messages protocol as a frame, for clients of Bedrock. */
export function awsFrame(data: string): Uint8Array {
  return codecOf().encode({
    headers: {
      ':event-type': { type: 'string', value: 'chunk' },
      ':content-type': { type: 'string', value: 'application/json' },
      ':message-type': { type: 'string', value: 'event' },
    },
    body: bytesOf.encode(JSON.stringify({ bytes: toBase64(data) })),
  })
}
