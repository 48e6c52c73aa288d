import type { Clock, Logger } from '../base/mod.ts'
import { formatTarget, type Target, type TargetKey } from '../accounts/mod.ts'
import type { QuotaWindow, UpstreamFailure } from '../protocol/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { type Observation, observe } from './observe.ts'
import { type DeadReason, type EvidenceSource, freshStanding, type Standing } from './state.ts'
import { type StoredStanding, storedVersion, toRow, toStanding } from './store.ts'

/** What serving or probing a target showed. */
export type TargetEvidence =
  | {
    readonly is: 'success'
    readonly source?: EvidenceSource
    readonly status?: number
    readonly firstByteMs?: number | null
    readonly tokensPerSecond?: number | null
    readonly windows?: readonly QuotaWindow[]
  }
  | { readonly is: 'failure'; readonly source?: EvidenceSource; readonly failure: UpstreamFailure }

/** The keys that one use of one target stands under, widest first. */
export interface TargetKeys {
  readonly account: TargetKey
  readonly capability: TargetKey
  readonly model: TargetKey
}

/** The keys of a target: its account, the capability used, and the model within it. */
export function keysOf(target: Pick<Target, 'provider' | 'account' | 'capability' | 'model'>): TargetKeys {
  const { provider, account, capability, model } = target
  return {
    account: formatTarget(provider, account),
    capability: formatTarget(provider, account, capability),
    model: formatTarget(provider, account, `${capability}/${model.replace(/\s/g, '_').slice(0, 200)}`),
  }
}

/** The current belief about every key of this home; kept on disk and shared by its processes. */
export interface Board {
  /** Takes in what one use of a target showed, under the key that it says something about. */
  observe(target: Pick<Target, 'provider' | 'account' | 'capability' | 'model'>, evidence: TargetEvidence): void
  /** Takes in how fast an answer was written; short ones say nothing. */
  measured(
    target: Pick<Target, 'provider' | 'account' | 'capability' | 'model'>,
    outputTokens: number | null,
    writingMs: number,
  ): void
  /** Takes in a fact about one key, as probes, refreshes and operators know it. */
  note(key: TargetKey, observation: Observation): Standing
  /** A credential was refreshed: the account and its routes rise from the dead, quotas stay. */
  refreshed(provider: string, account: string): void
  /** The newest credential of an account was refused for good. */
  lost(provider: string, account: string, reason: DeadReason): void
  /** Forgets what is believed of a key and everything below it; false when nothing was known. */
  reset(key: TargetKey): boolean
  /** Drops every key of an account that is gone. */
  forget(provider: string, account: string): void
  /** What is believed of a key, `null` when it was never observed. */
  get(key: TargetKey): Standing | null
  /** Every standing, sorted by key. */
  all(): readonly Standing[]
  /** Keys with anything but a clean standing. */
  readonly troubled: ReadonlySet<TargetKey>
  /** Calls back when a key dies in this process. Returns how to stop. */
  onDead(listener: (key: TargetKey) => void): () => void
  /** Takes in what other processes of this home have learnt. */
  sync(): Promise<void>
  /** Queues what is not on disk yet. */
  close(): void
}

/** What a board needs. */
export interface BoardOptions {
  readonly storage: Storage
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  readonly logger: Logger
}

/** How long good news may wait for the disk: it is worth little and comes with every request. */
const lazyWriteMs = 5_000
const maxKeys = 10_000
/** An answer must be this long for its speed to be the model's and not the network's. */
const leastMeasuredTokens = 16
/** Rows of other processes may come to the disk this much later than their times say. */
const lateRowsMs = 1_000
/** More changes than one key sees before its rows are on disk. */
const rememberedRows = 8

const upsert = `insert into liveness (key, version, value, updated_ms) values (?, ?, ?, ?)
  on conflict (key) do update set version = excluded.version, value = excluded.value, updated_ms = excluded.updated_ms
  where excluded.updated_ms >= liveness.updated_ms`
const upsertGoodNews = `${upsert} and json_extract(liveness.value, '$.liveness.availability.is') = 'available'`

/**
 * Opens the board: loads what is on disk (without what has expired), then keeps it current.
 *
 * Observing is synchronous and in memory; rows go to disk through the batch writer, each whole, the newest knowledge of
 * a key winning across processes.
 */
export async function createBoard({ storage, clock, random, logger }: BoardOptions): Promise<Board> {
  const standings = new Map<TargetKey, Standing>()
  /** When the last rows of a key were written or read, newest first: a row of ours may still be on its way to the disk. */
  const writtenAt = new Map<TargetKey, readonly number[]>()
  /** Keys of which the disk does not know the newest. */
  const unwritten = new Set<TargetKey>()
  const troubled = new Set<TargetKey>()
  const mourners = new Set<(key: TargetKey) => void>()
  let seenMs = 0

  function mark(standing: Standing): void {
    if (isGood(standing) && standing.bucket >= 1) troubled.delete(standing.key)
    else troubled.add(standing.key)
  }

  function put(standing: Standing, urgent: boolean): void {
    standings.set(standing.key, standing)
    mark(standing)
    const last = writtenAt.get(standing.key)?.[0] ?? 0
    if (urgent || standing.updatedAt - last >= lazyWriteMs) write(standing, urgent)
    else unwritten.add(standing.key)
    if (standings.size > maxKeys) evict()
  }

  function remember({ key, updatedAt }: Standing): void {
    writtenAt.set(key, [updatedAt, ...writtenAt.get(key)?.slice(0, rememberedRows - 1) ?? []])
  }

  /** A change of state always goes down; routine good news never overwrites the trouble that another process saw. */
  function write(standing: Standing, urgent: boolean): void {
    remember(standing)
    unwritten.delete(standing.key)
    const row = toRow(standing)
    storage.batch.queue(urgent ? upsert : upsertGoodNews, [row.key, row.version, row.value, row.updated_ms])
  }

  /** The oldest harmless key goes first: garbage model names must not fill the board. */
  function evict(): void {
    for (const standing of standings.values()) if (isGood(standing)) return remove(standing.key)
    remove(standings.keys().next().value!)
  }

  function remove(key: TargetKey): void {
    if (!standings.delete(key)) return
    writtenAt.delete(key)
    unwritten.delete(key)
    troubled.delete(key)
    storage.batch.queue('delete from liveness where key = ?', [key])
  }

  function note(key: TargetKey, observation: Observation): Standing {
    const now = clock.now()
    const before = standings.get(key) ?? freshStanding(key, now)
    const after = observe(before, observation, now)
    if (after === before) return before
    const urgent = after.liveness !== before.liveness || after.circuit !== before.circuit
    put(after, urgent)
    if (after.liveness.state !== before.liveness.state) {
      logger.log(after.liveness.state === 'live' ? 'info' : 'warn', 'liveness.changed', {
        key,
        from: before.liveness.state,
        to: after.liveness.state,
        ...(after.liveness.state === 'live' ? {} : { reason: after.liveness.reason }),
      })
    }
    if (after.liveness.state === 'dead' && before.liveness.state !== 'dead') {
      for (const listener of mourners) listener(key)
    }
    return after
  }

  function isTroubled(key: TargetKey): boolean {
    const known = standings.get(key)
    return known !== undefined && !isGood(known)
  }

  /** The keys of targets that come again with every request of their model. */
  const keysKnown = new WeakMap<object, TargetKeys>()

  function keysFor(target: Parameters<Board['observe']>[0]): TargetKeys {
    let keys = keysKnown.get(target)
    if (keys === undefined) keysKnown.set(target, keys = keysOf(target))
    return keys
  }

  const below = (prefix: TargetKey): TargetKey[] =>
    [...standings.keys()].filter((key) =>
      key === prefix || key.startsWith(`${prefix}#`) || key.startsWith(`${prefix}/`)
    )

  async function load(): Promise<void> {
    const now = clock.now()
    const rows = await storage.db.selectFrom('liveness').selectAll().execute()
    for (const row of rows) {
      seenMs = Math.max(seenMs, row.updated_ms)
      const standing = toStanding(row, now)
      if (standing) {
        standings.set(standing.key, standing)
        remember(standing)
        mark(standing)
      } else storage.batch.queue('delete from liveness where key = ? and updated_ms = ?', [row.key, row.updated_ms])
    }
  }

  async function sync(): Promise<void> {
    const now = clock.now()
    const rows: StoredStanding[] = await storage.db.selectFrom('liveness').selectAll()
      .where('updated_ms', '>=', seenMs - lateRowsMs).where('version', '=', storedVersion).execute()
    for (const row of rows) {
      seenMs = Math.max(seenMs, Math.min(row.updated_ms, now))
      const key = row.key as TargetKey
      if (writtenAt.get(key)?.includes(row.updated_ms)) continue
      const standing = toStanding(row, now)
      if (!standing) continue
      const known = standings.get(key)
      // Trouble that another process saw while we were still being served counts, though our good news is newer.
      const worse = known !== undefined && isGood(known) && !isGood(standing)
      if (known && known.updatedAt >= row.updated_ms + (worse ? 2 * lateRowsMs : 0)) continue
      standings.set(standing.key, standing)
      remember(standing)
      unwritten.delete(standing.key)
      mark(standing)
    }
  }

  await load()
  return {
    observe(target, evidence) {
      const keys = keysFor(target)
      const source = evidence.source ?? 'serving'
      if (evidence.is === 'success') {
        const windows = evidence.windows ?? []
        // An answer proves the account, the capability and the model, but only what is troubled needs to hear it.
        if (windows.length > 0 || isTroubled(keys.account)) note(keys.account, { is: 'success', source, windows })
        if (isTroubled(keys.capability)) note(keys.capability, { is: 'success', source })
        const { status, firstByteMs, tokensPerSecond } = evidence
        note(keys.model, { is: 'success', source, status, firstByteMs, tokensPerSecond })
        return
      }
      const { failure } = evidence
      if (failure.windows.length > 0) note(keys.account, { is: 'windows', source, windows: failure.windows })
      // A refusal of this request or a cause of our own says nothing about the target, whatever its kind.
      if (failure.scope === 'request' || failure.scope === 'local') return
      const key = failure.scope === 'account' || failure.kind === 'unauthorized' ? keys.account : keys.model
      // Full jitter of 1 to 30 s on a provider's reset, so that a pool does not return in one second.
      const jitterMs = failure.kind === 'quota_exhausted' ? 1_000 + Math.floor(random() * 29_000) : 0
      note(key, { is: 'failure', source, failure, jitterMs })
    },
    measured(target, outputTokens, writingMs) {
      if (outputTokens === null || outputTokens < leastMeasuredTokens || writingMs < 50) return
      note(keysFor(target).model, { is: 'speed', tokensPerSecond: outputTokens * 1000 / writingMs })
    },
    note,
    refreshed(provider, account) {
      for (const key of below(formatTarget(provider, account))) note(key, { is: 'refreshed' })
    },
    lost(provider, account, reason) {
      note(formatTarget(provider, account), { is: 'lost', reason })
    },
    reset(key) {
      const keys = below(key)
      for (const each of keys) note(each, { is: 'reset' })
      return keys.length > 0
    },
    forget(provider, account) {
      for (const key of below(formatTarget(provider, account))) remove(key)
    },
    get: (key) => standings.get(key) ?? null,
    all: () => [...standings.values()].sort((a, b) => a.key < b.key ? -1 : 1),
    troubled,
    onDead(listener) {
      mourners.add(listener)
      return () => mourners.delete(listener)
    },
    sync,
    close() {
      for (const key of unwritten) {
        const standing = standings.get(key)
        if (standing) write(standing, false)
      }
    },
  }
}

const isGood = ({ liveness, circuit }: Standing): boolean =>
  liveness.state === 'live' && liveness.availability.is === 'available' && circuit.is === 'closed'
