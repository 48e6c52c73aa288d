/** Where the bytes of a {@link ByteSource} go. After `end` or `fail` nothing more comes. */
export interface ByteSink {
  /** The bytes are the sink's own: the source never writes into them again. */
  chunk(bytes: Uint8Array<ArrayBuffer>): void
  end(): void
  /** The flow broke off before its end. */
  fail(error: unknown): void
}

/**
 * Bytes that arrive by themselves and can be held back: the body of an answer, straight from its socket.
 *
 * It is pushed and not pulled, because a promise per chunk costs more than everything else a relay does with it.
 */
export interface ByteSource {
  /** Starts the flow; once. */
  start(sink: ByteSink): void
  /** Asks for no more until {@link resume}; what is already on its way may still come. */
  pause(): void
  resume(): void
  /** Ends the flow early and frees its connection. Nothing reaches the sink afterwards. May be called at any time, twice. */
  cancel(): void
}

/** A web stream as a {@link ByteSource}. */
export function sourceOf(stream: ReadableStream<Uint8Array> | null): ByteSource {
  let paused = false
  let cancelled = false
  let wake: (() => void) | undefined
  const reader = stream?.getReader()
  async function pump(sink: ByteSink): Promise<void> {
    try {
      for (;;) {
        if (paused) await new Promise<void>((resolve) => wake = resolve)
        if (cancelled) return
        const step = await reader?.read()
        if (cancelled) return
        if (!step || step.done) return sink.end()
        sink.chunk(step.value as Uint8Array<ArrayBuffer>)
      }
    } catch (error) {
      if (!cancelled) sink.fail(error)
    }
  }
  return {
    start: (sink) => void pump(sink),
    pause: () => void (paused = true),
    resume() {
      paused = false
      wake?.()
    },
    cancel() {
      if (cancelled) return
      cancelled = true
      wake?.()
      reader?.cancel().catch(() => {})
    },
  }
}

/** A {@link ByteSource} as a web stream that holds the source back while its reader is busy. */
export function streamOf(source: ByteSource): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start(controller) {
      source.start({
        chunk(bytes) {
          controller.enqueue(bytes)
          if ((controller.desiredSize ?? 0) <= 0) source.pause()
        },
        end: () => controller.close(),
        fail: (error) => controller.error(error),
      })
    },
    pull: () => source.resume(),
    cancel: () => source.cancel(),
  }, { highWaterMark: 64 * 1024, size: (chunk) => chunk?.byteLength ?? 0 })
}

/** Every byte of a source, or `null` as soon as there are more than `limitBytes` (the source is then cancelled). */
export function readAll(source: ByteSource, limitBytes: number): Promise<Uint8Array<ArrayBuffer> | null> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array<ArrayBuffer>[] = []
    let size = 0
    source.start({
      chunk(bytes) {
        size += bytes.length
        if (size > limitBytes) {
          source.cancel()
          resolve(null)
        } else chunks.push(bytes)
      },
      end: () => resolve(chunks.length === 1 ? chunks[0]! : concat(chunks, size)),
      fail: reject,
    })
  })
}

/** One array of all of them. */
export function concat(chunks: readonly Uint8Array[], size?: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(size ?? chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let at = 0
  for (const chunk of chunks) {
    out.set(chunk, at)
    at += chunk.length
  }
  return out
}

/** The beginning of a body as text, at most so many bytes; the rest is not read. */
export async function readHead({ body }: Pick<Response, 'body'>, maxBytes: number): Promise<string> {
  const reader = body?.getReader()
  if (!reader) return ''
  const decoder = new TextDecoder()
  let text = ''
  for (let size = 0; size < maxBytes;) {
    const { done, value } = await reader.read()
    if (done) return text
    size += value.length
    text += decoder.decode(value, { stream: true })
  }
  await reader.cancel().catch(() => {})
  return text.slice(0, maxBytes)
}
