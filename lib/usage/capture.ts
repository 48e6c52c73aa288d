import { join } from 'node:path'
import { type Clock, GwError, type Logger, redact } from '../base/mod.ts'
import { ensurePrivateDir, writeAtomic } from '../platform/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { UsageConfig } from './config.ts'

/** Keeps bodies and audio, where the operator asked for it. */
export interface Capture {
  /** Whether bodies of a request that ended so are wanted: ask before holding on to them. */
  wantsBodies(failed: boolean): boolean
  /** Longest part of a body that is of use, bytes. */
  readonly maxBodyBytes: number
  /** Keeps the texts of a request, credentials blotted out, cut to length, until they expire. */
  bodies(request: string, failed: boolean, parts: Readonly<Record<string, string | null>>): void
  readonly wantsAudio: boolean
  /** Keeps an uploaded file, 0600, under a name of our own. Failing to keep it is logged, never the caller's problem. */
  audio(request: string, mediaType: string, bytes: Uint8Array): Promise<void>
}

/** Names of files are made of these only; what a client calls its file is never part of a path. */
const extensions: Readonly<Record<string, string>> = {
  'audio/mpeg': 'mp3',
  'audio/mp3': 'mp3',
  'audio/mp4': 'mp4',
  'audio/x-m4a': 'm4a',
  'audio/m4a': 'm4a',
  'audio/wav': 'wav',
  'audio/x-wav': 'wav',
  'audio/wave': 'wav',
  'audio/webm': 'webm',
  'audio/ogg': 'ogg',
  'audio/flac': 'flac',
  'audio/x-flac': 'flac',
  'video/mp4': 'mp4',
  'video/webm': 'webm',
}

const hourMs = 3_600_000
const insertBody = `insert or replace into request_bodies (request, part, content, whole_bytes, expires_ms)
  values (?, ?, ?, ?, ?)`
const insertAudio = `insert or replace into request_audio (request, file, media_type, bytes, at_ms, expires_ms)
  values (?, ?, ?, ?, ?, ?)`

/** A {@link Capture} over the database and the configured folder. */
export function capture(storage: Storage, clock: Clock, config: UsageConfig, logger: Logger): Capture {
  const maxBodyBytes = config.max_body_kb * 1_024
  const folder = config.audio_directory
  const wantsBodies = (failed: boolean): boolean => config.bodies === 'all' || (config.bodies === 'errors' && failed)
  return {
    wantsBodies,
    maxBodyBytes,
    bodies(request, failed, parts) {
      if (!wantsBodies(failed)) return
      const expires = clock.now() + config.body_hours * hourMs
      for (const [part, text] of Object.entries(parts)) {
        if (text === null) continue
        storage.batch.queue(insertBody, [request, part, redact(text, maxBodyBytes), text.length, expires])
      }
    },
    wantsAudio: folder !== undefined,
    async audio(request, mediaType, bytes) {
      if (folder === undefined) return
      try {
        if (!/^[\w-]{1,64}$/.test(request)) throw new GwError('request.invalid', 'a request id is malformed')
        const type = mediaType.split(';', 1)[0]!.trim().toLowerCase()
        const file = `${request}.${Object.hasOwn(extensions, type) ? extensions[type] : 'bin'}`
        await ensurePrivateDir(folder)
        await writeAtomic(join(folder, file), bytes)
        const now = clock.now()
        const values = [request, file, type.slice(0, 100), bytes.length, now, now + config.audio_hours * hourMs]
        storage.batch.queue(insertAudio, values)
      } catch (error) {
        logger.log('warn', 'usage.audio_not_kept', { request, error })
      }
    },
  }
}
