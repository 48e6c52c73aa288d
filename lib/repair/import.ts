import { isObject, type Json } from '../base/mod.ts'
import type { RepairContext } from './context.ts'
import type { Classified } from './classify.ts'
import type { Problem } from './definition/rules.ts'
import { degradedReasons } from './definition/schema.ts'
import { parseInventory } from './inventory/file.ts'
import type { ConfigChange } from './onboarding.ts'
import { observationOf } from './standing.ts'

/** What taking over an oauth-mux configuration changes, or what is wrong with it. */
export type ConfigImport =
  | { readonly ok: true; readonly changes: readonly ConfigChange[]; readonly ignored: readonly string[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

const tables = ['policy', 'provider_definitions', 'providers', 'profiles', 'strategies', 'defaults'] as const

/**
 * The changes below `[stay_afloat]` that an oauth-mux `config.json` means, as it was written: defaults are left to be
 * defaults.
 */
export function importConfig(text: string): ConfigImport {
  const parsed = parseInventory(text)
  if (!parsed.ok) return { ok: false, problems: parsed.problems }
  const written = JSON.parse(text) as Record<string, unknown>
  for (const path of parsed.ignored) remove(written, path.split('.'))
  const changes = tables.flatMap((table): ConfigChange[] => {
    const value = written[table]
    if (!isObject(value)) return []
    // One entry each, so that entries of the same table that are there already stay.
    return Object.entries(value).map(([key, entry]) => ({ path: ['stay_afloat', table, key], value: entry as Json }))
  })
  return { ok: true, changes, ignored: parsed.ignored }
}

function remove(value: Record<string, unknown>, path: readonly string[]): void {
  const holder = path.slice(0, -1).reduce<unknown>(
    (at, step) => (at as Record<string, unknown> | undefined)?.[step],
    value,
  )
  if (isObject(holder)) delete holder[path.at(-1)!]
}

/** What became of a health store. */
export interface HealthImport {
  readonly ok: boolean
  readonly imported: number
  readonly skipped: number
  /** Why nothing was taken, in one sentence; the file is left as it is. */
  readonly reason: string | null
}

const readable = 2

/**
 * Takes in what an oauth-mux `health.json` knows: what is dead, degraded, limited or spent, and what worked.
 *
 * A store of another version, cut in half or of another shape is refused with the reason, and counts as nothing known:
 * it is never read as an empty one without a word.
 */
export function importHealth({ board, clock }: Pick<RepairContext, 'board' | 'clock'>, text: string): HealthImport {
  const refuse = (reason: string): HealthImport => ({ ok: false, imported: 0, skipped: 0, reason })
  let store: unknown
  try {
    store = JSON.parse(text)
  } catch {
    return refuse('the health store is not whole JSON: it was kept as it is and nothing was taken from it')
  }
  if (!isObject(store) || !Array.isArray(store.accounts)) return refuse('the health store has another shape')
  if (store.version !== readable) {
    return refuse(
      `the health store is of version ${JSON.stringify(store.version ?? null)}, and ${readable} can be read`,
    )
  }
  const now = clock.now()
  let imported = 0
  for (const row of store.accounts as unknown[]) {
    const seen = readRow(row, now)
    if (!seen) continue
    board.note(
      seen.key as never,
      observationOf(seen.classified, { status: seen.status, source: 'capability_probe', now }),
    )
    imported++
  }
  return { ok: true, imported, skipped: store.accounts.length - imported, reason: null }
}

function readRow(row: unknown, now: number): { key: string; status: number | null; classified: Classified } | null {
  if (!isObject(row) || typeof row.key !== 'string' || !/^[^:#\s]+:[^#\s]+(?:#\S+)?$/.test(row.key)) return null
  const live = isObject(row.liveness) ? row.liveness : {}
  const status = typeof row.last_http_status === 'number' ? row.last_http_status : null
  const at = (value: unknown): number | null =>
    typeof value === 'number' && Number.isFinite(value) ? value * 1000 : null
  const classified = ((): Classified | null => {
    if (live.state === 'dead') return { is: 'dead', reason: deadReason(live.reason) }
    if (live.state === 'degraded' && typeof live.reason === 'string') {
      return { is: 'degraded', reason: live.reason as never, waitMs: null }
    }
    if (live.state !== 'live') return null
    const { availability } = live
    if (availability === 'quota_exhausted') {
      return { is: 'quota_exhausted', resetsAt: at(live.window_resets_at ?? row.quota_exhausted_until) }
    }
    if (availability === 'rate_limited') {
      const until = at(row.rate_limited_until)
      return { is: 'rate_limited', waitMs: until === null ? null : Math.max(0, until - now) }
    }
    return availability === 'available' && Number(row.successes) > 0 ? { is: 'success' } : null
  })()
  if (classified?.is === 'degraded' && !isDegradedReason(classified.reason)) return null
  return classified && { key: row.key, status, classified }
}

const isDegradedReason = (reason: string): boolean => degradedReasons.some((known) => known === reason)

const deadReason = (value: unknown) =>
  value === 'account_deleted' || value === 'auth_permanently_failed' || value === 'credential_unavailable'
    ? value
    : 'token_revoked' as const
