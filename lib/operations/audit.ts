import {
  type Clock,
  GwError,
  isGwError,
  type Json,
  type JsonObject,
  newId,
  redactFields,
  toGwError,
} from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'

/** What is about to be done, by whom. Secrets have been taken out. */
export interface AuditEntry {
  readonly principal: string
  readonly surface: string
  readonly operation: string
  readonly effect: string
  readonly input: JsonObject
  /** The state that is about to change; `null` when there was none. */
  readonly before: Json
}

/** How it went. */
export type AuditEnd = { readonly ok: true; readonly after: Json } | { readonly ok: false; readonly error: string }

/** One past entry. */
export interface AuditRecord extends AuditEntry {
  readonly id: string
  readonly at: number
  /** `begun` without an end: the process died in between, or it is still running. */
  readonly state: 'begun' | 'done' | 'failed'
  readonly after: Json
  readonly error: string | null
}

/** Where changes are recorded before they happen. */
export interface AuditLog {
  /**
   * Records an intent durably.
   *
   * @throws GwError `audit.failed` when it cannot be written: the change must then not be made
   */
  begin(entry: AuditEntry): Promise<{ end(result: AuditEnd): Promise<void> }>
  /** Entries, newest first, older than `cursor` when one is given. */
  list(options: { readonly limit: number; readonly cursor?: string | undefined }): Promise<AuditRecord[]>
}

/**
 * Makes a change on the record: written before it, closed after it. Where it cannot be written, nothing is changed.
 *
 * @throws GwError `audit.failed`, and whatever the change itself throws
 */
export async function recorded<T>(
  audit: Pick<AuditLog, 'begin'>,
  entry: AuditEntry,
  change: () => Promise<T>,
): Promise<T> {
  const record = await audit.begin({ ...entry, input: redactFields(entry.input) as JsonObject })
  let result: T
  try {
    result = await change()
  } catch (error) {
    await record.end({ ok: false, error: toGwError(error).code })
    throw error
  }
  await record.end({ ok: true, after: (redactFields({ value: result }).value ?? null) as Json })
  return result
}

const longestText = 16_384

/** An {@link AuditLog} in the database of this home. */
export function createAuditLog({ storage, clock }: { storage: Storage; clock: Clock }): AuditLog {
  return {
    async begin(entry) {
      const id = newId<string>('aud', clock.now())
      const row = {
        id,
        at_ms: clock.now(),
        principal: entry.principal,
        surface: entry.surface,
        operation: entry.operation,
        effect: entry.effect,
        input: bounded(entry.input),
        before: bounded(entry.before),
        state: 'begun',
        after: null,
        error: null,
      }
      try {
        await storage.write((tx) => tx.insertInto('audit').values(row).execute())
      } catch (cause) {
        const known = isGwError(cause) ? cause : null
        const why = known ? `: ${known.message}` : ''
        throw new GwError('audit.failed', `${entry.operation} was not run: its audit record cannot be written${why}`, {
          hint: known?.hint ?? 'gw doctor',
          cause,
        })
      }
      return {
        async end(result) {
          const set = result.ok
            ? { state: 'done', after: bounded(result.after), error: null }
            : { state: 'failed', after: null, error: result.error }
          // The change has been made: a record that stays at `begun` is the truth that is left, not a reason to fail.
          await storage.write((tx) => tx.updateTable('audit').set(set).where('id', '=', id).execute()).catch(() => {})
        },
      }
    },
    async list({ limit, cursor }) {
      let query = storage.db.selectFrom('audit').selectAll().orderBy('id', 'desc').limit(limit)
      if (cursor !== undefined) query = query.where('id', '<', cursor)
      return (await query.execute()).map((row) => ({
        id: row.id,
        at: row.at_ms,
        principal: row.principal,
        surface: row.surface,
        operation: row.operation,
        effect: row.effect,
        input: JSON.parse(row.input) as JsonObject,
        before: JSON.parse(row.before) as Json,
        state: row.state as AuditRecord['state'],
        after: row.after === null ? null : JSON.parse(row.after) as Json,
        error: row.error,
      }))
    },
  }
}

/** JSON text of at most 16 KB: what is longer is cut to a note, so that the column always parses. */
function bounded(value: Json): string {
  const text = JSON.stringify(value)
  return text.length <= longestText ? text : JSON.stringify({ cut: text.slice(0, 1_000), characters: text.length })
}
