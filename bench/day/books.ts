import { Database } from 'bun:sqlite'
import { type Seen, visible } from './clients.ts'
import type { Provider } from './gateway.ts'
import { type Call, type Outage, waitSeconds } from './vendor.ts'

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
  /** Attempts that failed though their vendor planted nothing, by what gw says of them. */
  readonly unplanned: ReadonlyMap<string, number>
  /** Everything that does not add up, in sentences; empty when all is well. */
  readonly wrong: readonly string[]
}

interface Row {
  readonly id: string
  readonly outcome: string
  readonly error: string | null
  readonly output_tokens: number | null
  readonly attempts: string
}

/** What the vendors know: their accounts, each by the keys it used, and what happened to them. */
export interface VendorBooks {
  readonly calls: readonly Call[]
  readonly outages: readonly Outage[]
  /** For each account of a provider, whether a key is its own. */
  accountsOf(provider: Provider): readonly ((key: string) => boolean)[]
}

interface Attempt {
  readonly failure: string | null
  readonly message?: string | null
}

/** Compares three books: what the clients saw, what gw wrote down, and what the vendor counted. */
export function balance(seen: readonly Seen[], vendor: VendorBooks, database: string): Balance {
  const { calls } = vendor
  const wrong: string[] = []
  const rows = readRows(database)
  const away = [...vendor.outages, ...waits(calls)]
  const callsOf = Map.groupBy(calls, (call) => call.tag)
  const unplanned = new Map<string, number>()
  let explained = 0
  let vendorTokens = 0
  let ledgerTokens = 0
  for (const one of seen) {
    const mine = callsOf.get(one.tag) ?? []
    if (one.end === 'error') {
      if (mine.some(({ fault }) => visible.has(fault)) || nobodyLeft(one, mine, vendor, away)) explained++
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
    const tried = JSON.parse(row.attempts) as Attempt[]
    const attempts = tried.length
    const failures = tried.filter(({ failure }) => failure !== null && failure !== 'cancelled')
    if (failures.length > mine.filter(({ fault }) => fault !== 'none').length) {
      for (const { failure, message } of failures) {
        const what = `${failure}: ${String(message).replace(/\d{2,}/g, '…').slice(0, 120)}`
        unplanned.set(what, (unplanned.get(what) ?? 0) + 1)
      }
    }
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
      const planted = mine.map(({ fault, end }) => `${fault}/${end}`).join(', ')
      wrong.push(`${one.id} (${one.protocol}, ${planted}) was served and is written as ${row.outcome}: ${row.error}`)
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
    unplanned,
    wrong: vendorTokens === ledgerTokens
      ? wrong
      : [...wrong, `${ledgerTokens} output tokens in the ledger, ${vendorTokens} by the vendor`],
  }
}

/**
 * Whether no account of the provider could have served a request: each of them failed it, was revoked, or had just been
 * told to wait.
 */
function nobodyLeft(one: Seen, mine: readonly Call[], vendor: VendorBooks, away: readonly Outage[]): boolean {
  const then = away.filter(({ from, until }) => one.doneAt >= from - slackMs && one.at <= until + slackMs)
  return mine.every(({ fault, end }) => fault !== 'none' && end === 'fault') &&
    vendor.accountsOf(one.provider).every((owns) => [...mine, ...then].some(({ key }) => owns(key)))
}

/** How late a wait or an outage may end for gw: the way there, and the next look at the account. */
const slackMs = 1_000

/** When accounts waited because their vendor said so. */
const waits = (calls: readonly Call[]): readonly Outage[] =>
  calls.filter(({ fault }) => fault === 'rate_limited')
    .map(({ key, at }) => ({ key, from: at, until: at + waitSeconds * 1_000 }))

/** Attempts that never left gw: an account that was not ready. */
const unsent = ({ attempts }: Row): number =>
  (JSON.parse(attempts) as Attempt[]).filter(({ failure }) =>
    failure === 'local' || failure === 'concurrency' || failure === 'unreachable' || failure === 'cancelled'
  ).length

function readRows(database: string): Map<string, Row> {
  const db = new Database(database, { readonly: true })
  try {
    const rows = db.query<Row, []>('select id, outcome, error, output_tokens, attempts from requests').all()
    return new Map(rows.map((row) => [row.id, row]))
  } finally {
    db.close()
  }
}
