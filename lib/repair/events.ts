import { type Clock, isObject } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'

/** What an event is about. */
export type EventKind = 'repair_run' | 'daemon_action' | 'daemon_handoff' | 'token_refresh'

/** How something ended, or why it never began. */
export type EventOutcome =
  | 'noop'
  | 'no_admitted_repair'
  | 'confirmation_required'
  | 'interactive_json_unsupported'
  | 'repair_in_progress'
  | 'lock_taken_over'
  | 'started'
  | 'executed'
  | 'failed'
  | 'route_selectable'
  | 'handoff_queued'
  | 'handoff_acknowledged'
  | 'handoff_resolved'
  | 'not_admitted'
  | 'no_token_endpoint'
  | 'token_endpoint_failed'
  | 'credential_build_failed'
  | 'writeback_failed'
  | 'persisted'
  | 'refreshed'
  | 'concurrent_rotation_detected'
  | 'transient_lock'
  | 'transient_network'
  | 'transient_store'
  | 'transient_endpoint'
  | 'hard_lineage_invalidated'

/** One thing that stay-afloat did, or would not do. No token, no credential path, no text of a provider. */
export interface RepairEvent {
  /** Epoch seconds. */
  readonly ts: number
  readonly kind: EventKind
  readonly profile: string | null
  readonly provider: string | null
  readonly account: string | null
  readonly capability: string | null
  readonly action: string | null
  readonly command: string | null
  readonly writeback_capability: string | null
  readonly automatic_refresh_admitted: boolean | null
  readonly outcome: EventOutcome
  readonly reason: string | null
  readonly ok: boolean
  readonly executed: boolean
  readonly interactive: boolean
  readonly mutating: boolean
}

/** An event with what it leaves out filled in. */
export type EventInput = Pick<RepairEvent, 'kind' | 'outcome' | 'ok'> & Partial<Omit<RepairEvent, 'ts'>>

/** The events that are kept; older ones go. */
const maxEvents = 5_000
/** How many may gather beyond {@link maxEvents} before they are cleared away. */
const slack = 64

/** The record of stay-afloat. */
export interface EventLog {
  append(event: EventInput): Promise<RepairEvent>
  /** The newest first, after the given position; `next` continues there. */
  list(options?: EventQuery): Promise<{ readonly events: readonly RepairEvent[]; readonly next: number | null }>
  /**
   * Events as they happen, those of other processes of this home within {@link pollMs}; oldest first, after the given
   * position or from now on. Ends when `signal` does.
   */
  follow(options: {
    readonly after?: number | undefined
    readonly signal: AbortSignal
  }): AsyncGenerator<{ readonly position: number; readonly event: RepairEvent }, void, undefined>
  /** Takes in the lines of an oauth-mux `repair-events.jsonl`. Lines that are torn or not events are counted. */
  import(text: string): Promise<{ readonly imported: number; readonly skipped: number }>
}

/** Which events. */
export interface EventQuery {
  /** Default 50, at most 1000. */
  readonly limit?: number | undefined
  /** Only events older than this position. */
  readonly before?: number | undefined
  /** Only events newer than this position, oldest first: for following along. */
  readonly after?: number | undefined
  readonly provider?: string | undefined
  readonly account?: string | undefined
}

/** How often a follower looks for what other processes wrote. */
const pollMs = 1_000
/** Events that a follower reads at once. */
const page = 100

/** The log of this home. */
export function createEventLog(storage: Storage, clock: Pick<Clock, 'now' | 'sleep'>): EventLog {
  let written = Promise.withResolvers<void>()

  async function insert(events: readonly RepairEvent[]): Promise<void> {
    if (events.length === 0) return
    await storage.write(async (tx) => {
      for (let i = 0; i < events.length; i += 100) {
        await tx.insertInto('repair_events').values(
          events.slice(i, i + 100).map((event) => ({
            at_ms: event.ts * 1000,
            kind: event.kind,
            outcome: event.outcome,
            profile: event.profile,
            provider: event.provider,
            account: event.account,
            capability: event.capability,
            value: JSON.stringify(event),
          })),
        ).execute()
      }
      const last = await tx.selectFrom('repair_events').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst()
      const first = await tx.selectFrom('repair_events').select('id').orderBy('id').limit(1).executeTakeFirst()
      if (last && first && last.id - first.id >= maxEvents + slack) {
        await tx.deleteFrom('repair_events').where('id', '<=', last.id - maxEvents).execute()
      }
    })
    written.resolve()
    written = Promise.withResolvers<void>()
  }

  async function lastPosition(): Promise<number> {
    const row = await storage.db.selectFrom('repair_events').select('id').orderBy('id', 'desc').limit(1)
      .executeTakeFirst()
    return row?.id ?? 0
  }

  return {
    async append(input) {
      const event = completeEvent(input, Math.floor(clock.now() / 1000))
      await insert([event])
      return event
    },
    async list({ limit = 50, before, after, provider, account } = {}) {
      let query = storage.db.selectFrom('repair_events').select(['id', 'value'])
        .orderBy('id', after === undefined ? 'desc' : 'asc').limit(Math.max(1, Math.min(limit, 1000)))
      if (before !== undefined) query = query.where('id', '<', before)
      if (after !== undefined) query = query.where('id', '>', after)
      if (provider !== undefined) query = query.where('provider', '=', provider)
      if (account !== undefined) query = query.where('account', '=', account)
      const rows = await query.execute()
      return {
        events: rows.map((row) => JSON.parse(row.value) as RepairEvent),
        next: rows.at(-1)?.id ?? null,
      }
    },
    async *follow({ after, signal }) {
      let position = after ?? await lastPosition()
      while (!signal.aborted) {
        // Taken before the look: what is written during it wakes the wait after it.
        const more = written.promise
        const rows = await storage.db.selectFrom('repair_events').select(['id', 'value']).where('id', '>', position)
          .orderBy('id').limit(page).execute()
        for (const row of rows) {
          position = row.id
          yield { position, event: JSON.parse(row.value) as RepairEvent }
          if (signal.aborted) return
        }
        if (rows.length === page) continue
        const waiting = new AbortController()
        const either = AbortSignal.any([signal, waiting.signal])
        await Promise.race([more, clock.sleep(pollMs, either).catch(() => {})])
        waiting.abort()
      }
    },
    async import(text) {
      const { events, skipped } = parseEventLines(text)
      await insert(events.slice(-maxEvents))
      return { imported: events.length, skipped }
    },
  }
}

/** An event with every member. */
function completeEvent(input: EventInput, ts: number): RepairEvent {
  return {
    ts,
    kind: input.kind,
    profile: input.profile ?? null,
    provider: input.provider ?? null,
    account: input.account ?? null,
    capability: input.capability ?? null,
    action: input.action ?? null,
    command: input.command ?? null,
    writeback_capability: input.writeback_capability ?? null,
    automatic_refresh_admitted: input.automatic_refresh_admitted ?? null,
    outcome: input.outcome,
    reason: input.reason ?? null,
    ok: input.ok,
    executed: input.executed ?? false,
    interactive: input.interactive ?? false,
    mutating: input.mutating ?? false,
  }
}

const kinds: readonly string[] = ['repair_run', 'daemon_action', 'daemon_handoff', 'token_refresh']
const word = (value: unknown): string | null => typeof value === 'string' && value.length <= 1000 ? value : null

/** The events of a JSON-lines file, parsed as JSON; what is torn or foreign is counted, never guessed at. @internal */
export function parseEventLines(text: string): { readonly events: readonly RepairEvent[]; readonly skipped: number } {
  const events: RepairEvent[] = []
  let skipped = 0
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue
    const event = readEvent(line)
    if (event) events.push(event)
    else skipped++
  }
  return { events, skipped }
}

function readEvent(line: string): RepairEvent | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  if (!isObject(value) || typeof value.ts !== 'number' || !Number.isSafeInteger(value.ts) || value.ts < 0) return null
  if (!kinds.includes(String(value.kind)) || word(value.outcome) === null) return null
  return {
    ts: value.ts,
    kind: value.kind as EventKind,
    profile: word(value.profile),
    provider: word(value.provider),
    account: word(value.account),
    capability: word(value.capability),
    action: word(value.action),
    command: word(value.command),
    writeback_capability: word(value.writeback_capability),
    automatic_refresh_admitted: typeof value.automatic_refresh_admitted === 'boolean'
      ? value.automatic_refresh_admitted
      : null,
    outcome: value.outcome as EventOutcome,
    reason: word(value.reason),
    ok: value.ok === true,
    executed: value.executed === true,
    interactive: value.interactive === true,
    mutating: value.mutating === true,
  }
}
