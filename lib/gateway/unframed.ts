import { type ByteSink, type ByteSource, GwError } from '../base/mod.ts'
import { awsFrames } from '../protocol/mod.ts'

/** A body in AWS's binary frames as the event stream inside them. */
export function unframed(body: ByteSource): ByteSource {
  function start(sink: ByteSink): void {
    const frames = awsFrames()
    const utf8 = new TextEncoder()
    let over = false
    const fail = (error: unknown): void => {
      if (over) return
      over = true
      body.cancel()
      sink.fail(error)
    }
    body.start({
      chunk(bytes) {
        if (over) return
        try {
          const text = frames.push(bytes)
          if (text !== '') sink.chunk(utf8.encode(text))
        } catch (error) {
          fail(error)
        }
      },
      end() {
        if (over) return
        if (frames.pending) return fail(new GwError('upstream.invalid', 'the event stream broke off inside a frame'))
        over = true
        sink.end()
      },
      fail,
    })
  }
  return { start, pause: () => body.pause(), resume: () => body.resume(), cancel: () => body.cancel() }
}
