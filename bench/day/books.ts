import { Database } from 'bun:sqlite'
import { type Seen, visible } from './clients.ts'
import { type Call, waitSeconds } from './vendor.ts'

/** What the day came to. */
export interface Balance {
  readonly requests: number
  readonly served: number
  readonly left: number
  /** Errors that a fault planted by the vendor accounts for. */
  readonly explained: number
  readonly upstreamCalls: number
  readonly faults: number
  readonly outputTokens: number
  /** Everything that does not add up, in sentences; empty when all is well. */
  readonly wrong: readonly string[]
}

interface Row {
  readonly id: string
  readonly outcome: string
  readonly status: number
  readonly estimated: number
  readonly output_tokens: number | null
  readonly attempts: string
}

/** Compares three books: what the clients saw, what gw wrote down, and what the vendor counted. */
export function balance(seen: readonly Seen[], calls: readonly Call[], database: string): Balance {
  const wrong: string[] = []
  const rows = readRows(database)
  const slowed = calls.filter(({ fault }) => fault === 'rate_limited').map(({ at }) => at)
  const callsOf = Map.groupBy(calls, (call) => call.tag)
  let explained = 0
  let vendorTokens = 0
  let ledgerTokens = 0
  for (const one of seen) {
    const mine = callsOf.get(one.tag) ?? []
    if (one.end === 'error') {
      if (mine.some(({ fault }) => visible.has(fault)) || onlyFaults(mine) || waits(one, mine, slowed)) explained++
      else wrong.push(`${one.tag} (${one.protocol}) failed without a cause: ${one.status} ${one.error}`)
    }
    if (one.id === null) {
      if (one.end !== 'left') wrong.push(`${one.tag} (${one.protocol}) got no request id: ${one.error}`)
      continue
    }
    const row = rows.get(one.id)
    if (!row) {
      wrong.push(`${one.tag} (${one.id}) is not in the ledger`)
      continue
    }
    rows.delete(one.id)
    const attempts = (JSON.parse(row.attempts) as unknown[]).length
    // A call whose connection was lost before its head came may have been made twice by one attempt, never the reverse.
    const resets = mine.filter(({ fault }) => fault === 'reset').length
    if (mine.length < attempts - unsent(row) || mine.length > attempts + resets) {
      wrong.push(`${one.id}: the ledger has ${attempts} attempts, the vendor saw ${mine.length} calls`)
    }
    const served = mine.findLast(({ end }) => end === 'served')
    if (one.end === 'served' && served?.outputTokens != null) {
      vendorTokens += served.outputTokens
      ledgerTokens += row.output_tokens ?? 0
      if (row.output_tokens !== served.outputTokens) {
        wrong.push(`${one.id}: ${row.output_tokens} output tokens in the ledger, ${served.outputTokens} by the vendor`)
      }
    }
    if (one.end === 'served' && row.outcome !== 'ok') {
      wrong.push(`${one.id} was served and is written as ${row.outcome}`)
    }
  }
  for (const [id, row] of rows) {
    if (row.outcome !== 'aborted' && seen.every((one) => one.id !== id)) {
      wrong.push(`${id} (${row.outcome}) is in the ledger and no client asked for it`)
    }
  }
  return {
    requests: seen.length,
    served: seen.filter(({ end }) => end === 'served').length,
    left: seen.filter(({ end }) => end === 'left').length,
    explained,
    upstreamCalls: calls.length,
    faults: calls.filter(({ fault }) => fault !== 'none').length,
    outputTokens: vendorTokens,
    wrong: vendorTokens === ledgerTokens
      ? wrong
      : [...wrong, `${ledgerTokens} output tokens in the ledger, ${vendorTokens} by the vendor`],
  }
}

/** Whether the vendor itself refused every call that was made for a request, or was never reached. */
const onlyFaults = (calls: readonly Call[]): boolean =>
  calls.length > 0 && calls.every(({ fault, end }) => fault !== 'none' && end === 'fault')

/** How late a wait may end: clocks of both sides, and the way between them. */
const slackMs = 1_500

/** Whether a request was refused because the only account for it had just been told to wait. */
const waits = ({ status, at }: Seen, calls: readonly Call[], slowed: readonly number[]): boolean =>
  status === 429 && calls.every(({ end }) => end === 'fault') &&
  slowed.some((since) => at >= since - slackMs && at <= since + waitSeconds * 1_000 + slackMs)

/** Attempts that never left gw: an account that was not ready. */
const unsent = ({ attempts }: Row): number =>
  (JSON.parse(attempts) as { failure: string | null }[]).filter(({ failure }) =>
    failure === 'local' || failure === 'concurrency' || failure === 'unreachable' || failure === 'cancelled'
  ).length

function readRows(database: string): Map<string, Row> {
  const db = new Database(database, { readonly: true })
  try {
    const rows = db.query<Row, []>('select id, outcome, status, estimated, output_tokens, attempts from requests').all()
    return new Map(rows.map((row) => [row.id, row]))
  } finally {
    db.close()
  }
}
