import type { ByteSource } from '../../lib/base/mod.ts'

/** Bytes that are already here as a source. */
export function sourceOfBytes(bytes: Uint8Array<ArrayBuffer>): ByteSource {
  let cancelled = false
  return {
    start(sink) {
      if (bytes.length > 0) sink.chunk(bytes)
      if (!cancelled) sink.end()
    },
    pause() {},
    resume() {},
    cancel: () => void (cancelled = true),
  }
}
