import { sql } from 'kysely'
import { join } from 'node:path'
import type { Clock } from '../base/mod.ts'
import { removeFile } from '../platform/mod.ts'
import type { Storage } from '../storage/mod.ts'
import type { UsageConfig } from './config.ts'
import { dimensions, perDay, perStretch, stretchMs } from './writer.ts'

/** What one step of {@link retain} took away. */
export interface Retained {
  readonly requests: number
  readonly sums: number
  readonly bodies: number
  readonly audio: number
  /** Whether there is more to take away right now. */
  readonly more: boolean
}

/** Rows per step: some milliseconds of work, so that nobody waits for it. */
const rowsPerStep = 500
const dayMs = 86_400_000
/** A request and its index entries on disk, with one attempt: measured over a million rows, rounded up. */
const rowBytes = 700
const countEveryMs = 3_600_000

/** One bounded step of taking away what is past its time or over its size, the oldest first. */
export function retainer(storage: Storage, clock: Clock, config: UsageConfig): () => Promise<Retained> {
  const mostRows = Math.ceil(config.max_log_mb * 1_048_576 / rowBytes)
  /** Rows above the size. */
  let excess = 0
  let countedAt = -Infinity

  return async () => {
    if (clock.monotonic() - countedAt >= countEveryMs) {
      countedAt = clock.monotonic()
      excess = Math.max(0, await keptRows(storage) - mostRows)
    }
    const step = await forget(storage, clock.now(), config, excess)
    excess = Math.max(0, excess - step.requests)
    return step
  }
}

/** How many requests are kept, from the sums since the oldest of them: counting a million rows would be felt. */
async function keptRows(storage: Storage): Promise<number> {
  const { rows } = await sql<{ kept: number | null }>`
    with oldest as (select at_ms - at_ms % 3600000 as hour from requests order by at_ms limit 1)
    select (select sum(requests) from usage_hours where dimension = 'total' and hour_ms >= (select hour from oldest))
      - coalesce((select sum(requests) from usage_hours
        where dimension = 'token' and key = '' and hour_ms >= (select hour from oldest)), 0) as kept`
    .execute(storage.db)
  return rows[0]?.kept ?? 0
}

async function forget(storage: Storage, now: number, config: UsageConfig, excess: number): Promise<Retained> {
  const requests = await forgetRequests(storage, now - config.retention_days * dayMs, excess)
  const sums = await storage.write(async (tx) => {
    const before = now - config.summary_days * dayMs
    let hours = 0
    for (const dimension of dimensions) {
      // A stretch goes with its last day.
      const spans = [[dimension, 0], [perDay(dimension), 0], [perStretch(dimension), stretchMs - dayMs]] as const
      for (const [kept, longer] of spans) {
        if (kept === null) continue
        const gone = await sql`
          delete from usage_hours where (dimension, hour_ms, key) in (
            select dimension, hour_ms, key from usage_hours
            where dimension = ${kept} and hour_ms < ${before - longer} limit ${rowsPerStep})`.execute(tx)
        hours += Number(gone.numAffectedRows ?? 0n)
        if (hours >= rowsPerStep) return hours
      }
    }
    const own = await sql`
      delete from usage_by_principal where (principal, hour_ms, provider, account, model, surface) in (
        select principal, hour_ms, provider, account, model, surface from usage_by_principal
        where hour_ms < ${before} limit ${rowsPerStep})`.execute(tx)
    return hours + Number(own.numAffectedRows ?? 0n)
  })
  const bodies = await storage.write(async (tx) => {
    const gone = await sql`
      delete from request_bodies where (request, part) in (
        select request, part from request_bodies where expires_ms <= ${now} limit ${rowsPerStep})`.execute(tx)
    return Number(gone.numAffectedRows ?? 0n)
  })
  const audio = await forgetAudio(storage, now, config)
  const more = [requests, sums, bodies, audio].some((count) => count >= rowsPerStep)
  return { requests, sums, bodies, audio, more }
}

async function forgetRequests(storage: Storage, before: number, excess: number): Promise<number> {
  return await storage.write(async (tx) => {
    const gone = await sql`
      delete from requests where (at_ms, id) in (
        select at_ms, id from requests where at_ms < ${before} order by at_ms, id limit ${rowsPerStep})`.execute(tx)
    const old = Number(gone.numAffectedRows ?? 0n)
    if (excess <= old) return old
    const over = await sql`
      delete from requests where (at_ms, id) in (
        select at_ms, id from requests order by at_ms, id limit ${Math.min(excess - old, rowsPerStep)})`.execute(tx)
    return old + Number(over.numAffectedRows ?? 0n)
  })
}

async function forgetAudio(storage: Storage, now: number, config: UsageConfig): Promise<number> {
  const { db } = storage
  const { rows } = await sql<{ request: string; file: string }>`
    select request, file from (
      select request, file, expires_ms, sum(bytes) over (order by at_ms desc, request desc) as through
      from request_audio
    ) where expires_ms <= ${now} or through > ${config.max_audio_mb * 1_048_576} limit ${rowsPerStep}`.execute(db)
  if (rows.length === 0) return 0
  for (const { file } of rows) {
    if (config.audio_directory !== undefined) await removeFile(join(config.audio_directory, file))
  }
  await storage.write((tx) =>
    tx.deleteFrom('request_audio').where('request', 'in', rows.map((row) => row.request)).execute()
  )
  return rows.length
}
