import { createBrotliDecompress, createInflate, createUnzip, createZstdDecompress, type Gunzip } from 'node:zlib'
import { type ByteSource, GwError } from '../base/mod.ts'

/** Codings that can be taken off. */
const decoders: Readonly<Record<string, () => Pick<Gunzip, 'write' | 'end' | 'on' | 'pause' | 'resume' | 'destroy'>>> =
  {
    gzip: createUnzip,
    'x-gzip': createUnzip,
    deflate: createInflate,
    br: createBrotliDecompress,
    zstd: createZstdDecompress,
  }

/**
 * The body without its content coding, for an upstream that compresses although it was asked not to; `null` for a coding
 * that is unknown. Never holds more than one block of it: a bomb is stopped by whoever counts the bytes.
 */
export function inflate(source: ByteSource, coding: string): ByteSource | null {
  const make = decoders[coding.trim().toLowerCase()]
  if (!make) return null
  const decoder = make()
  let over = false
  const stop = (): void => {
    over = true
    source.cancel()
    decoder.destroy()
  }
  return {
    start(sink) {
      const fail = (error: unknown): void => {
        if (over) return
        stop()
        sink.fail(error)
      }
      decoder.on('data', (bytes: Uint8Array<ArrayBuffer>) => {
        if (!over) sink.chunk(bytes)
      })
      decoder.on('end', () => {
        if (over) return
        over = true
        sink.end()
      })
      decoder.on(
        'error',
        (cause: Error) =>
          fail(new GwError('upstream.invalid', 'the provider compressed its answer, and broke it', { cause })),
      )
      decoder.on('drain', () => source.resume())
      source.start({
        chunk(bytes) {
          if (!over && !decoder.write(bytes)) source.pause()
        },
        end: () => void decoder.end(),
        fail,
      })
    },
    pause: () => void decoder.pause(),
    resume: () => void decoder.resume(),
    cancel: stop,
  }
}
