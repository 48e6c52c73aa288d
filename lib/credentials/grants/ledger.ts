import { lstat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type Clock, GwError } from '../../base/mod.ts'
import { ensurePrivateDir, type Platform, type SqliteConnection, statFile, tighten } from '../../platform/mod.ts'
import { readRenewal, type Renewal } from './journal.ts'

/**
 * The exclusive use of one login across processes, homes and runtimes, and the few facts its users share.
 *
 * It is a small SQLite file beside the login, held by the lock of the operating system: a process that dies, by
 * whatever signal, gives it up at that moment, and neither a stale file nor a reused process id can hold it. It holds
 * no token in clear: fingerprints, and the sealed note of a refresh that is not written yet.
 */
export interface Ledger {
  /** Grows with each taking. */
  readonly fence: number
  /** Notes a call of the token endpoint before it is made. False when too many were made lately. */
  admitCall(now: number): boolean
  /** The fingerprint of a refresh token that the vendor refused for good, or `null`. */
  readonly dead: string | null
  /** Notes such a refusal; true when it was not noted before. */
  markDead(fingerprint: string): boolean
  /** What a refresh brought that may not have been written, or `null`. */
  readonly renewal: Renewal | null
  /** Notes what a refresh brought. Durable when it returns. */
  noteRenewal(renewal: Renewal): void
  /** The login is written: nothing is dead, and nothing is left to write. */
  clear(): void
  /** Gives it up. Everything noted is durable. */
  release(): void
}

/** No more token calls than this in the window, whatever fails. */
const maxCalls = 3
const windowMs = 10_000
const firstWaitMs = 5
const longestWaitMs = 100

/** How to take a {@link Ledger}. */
export interface LedgerOptions {
  readonly platform: Platform
  readonly clock: Clock
  readonly path: string
  /** Longest wait for another holder. */
  readonly waitMs: number
  readonly random: () => number
}

/**
 * Takes the ledger of a login, waiting for its present holder.
 *
 * @throws GwError `credential.refresh_failed` when the holder does not give it up in time, `credential.unavailable`
 * when it cannot be created
 */
export async function takeLedger(options: LedgerOptions): Promise<Ledger> {
  const { platform, clock, path, random } = options
  const until = clock.monotonic() + options.waitMs
  await ensureFolder(path)
  for (let waitMs = firstWaitMs;; waitMs = Math.min(waitMs * 1.5, longestWaitMs)) {
    let connection: SqliteConnection | null = null
    try {
      connection = await openPrivate(platform, path)
      return hold(connection)
    } catch (cause) {
      close(connection)
      if (!/locked|busy/i.test(String((cause as Error).message))) {
        throw new GwError('credential.unavailable', `the lock ${path} cannot be used: ${(cause as Error).message}`, {
          hint: 'the folder must be writable for a login in it to be refreshed; the lock file may be deleted',
          cause,
        })
      }
      if (clock.monotonic() > until) {
        throw new GwError('credential.refresh_failed', 'another process is refreshing this login and does not finish', {
          hint: `see which process holds ${path}`,
          cause,
        })
      }
    }
    await clock.sleep(waitMs * (0.5 + random()))
  }
}

/** Whether somebody died with a note in this ledger. Takes nothing: a ledger in use counts as none. */
export async function hasRenewal({ platform, path }: Pick<LedgerOptions, 'platform' | 'path'>): Promise<boolean> {
  if (await modeOf(path) === null) return false
  let connection: SqliteConnection | null = null
  try {
    connection = await platform.openSqlite(path)
    connection.exec('pragma busy_timeout = 0')
    return connection.prepare("select 1 from facts where key = 'renewal'").all([]).length > 0
  } catch {
    return false
  } finally {
    close(connection)
  }
}

function hold(connection: SqliteConnection): Ledger {
  connection.exec('pragma busy_timeout = 0')
  // In this mode the first write takes the file's lock, and only closing it gives the lock up.
  connection.exec('pragma locking_mode = exclusive')
  connection.exec('pragma synchronous = full')
  connection.exec('begin exclusive')
  connection.exec('create table if not exists facts (key text primary key, value text not null) strict')
  const read = (key: string): string | null =>
    (connection.prepare('select value from facts where key = ?').all([key])[0] as { value: string } | undefined)
      ?.value ??
      null
  const write = (key: string, value: string) =>
    connection.prepare(
      'insert into facts (key, value) values (?, ?) on conflict (key) do update set value = excluded.value',
    )
      .run([key, value])
  const fence = Number(read('fence') ?? 0) + 1
  write('fence', String(fence))
  write('holder', `${process.pid}`)
  connection.exec('commit')
  return {
    fence,
    admitCall(now) {
      const calls = (JSON.parse(read('calls') ?? '[]') as number[]).filter((at) => Math.abs(now - at) < windowMs)
      if (calls.length >= maxCalls) return false
      write('calls', JSON.stringify([...calls, now]))
      return true
    },
    get dead() {
      return read('dead') || null
    },
    markDead(fingerprint) {
      const isNew = read('dead') !== fingerprint
      write('dead', fingerprint)
      return isNew
    },
    get renewal() {
      return readRenewal(read('renewal'))
    },
    noteRenewal: (renewal) => void write('renewal', JSON.stringify(renewal)),
    clear: () => void connection.exec("delete from facts where key in ('dead', 'renewal')"),
    release: () => close(connection),
  }
}

async function openPrivate(platform: Platform, path: string): Promise<SqliteConnection> {
  const before = process.umask?.(0o077)
  try {
    return await platform.openSqlite(path)
  } finally {
    if (before !== undefined) process.umask(before)
    const mode = await modeOf(path)
    if (mode !== null && (mode & 0o077) !== 0) await tighten(path, 0o600)
  }
}

/**
 * Asked by name, never through a descriptor of its own: when a process closes any descriptor of a file, POSIX drops all
 * of that process's locks on it, those of another caller here included.
 *
 * @see https://www.sqlite.org/howtocorrupt.html section 2.2
 */
async function modeOf(path: string): Promise<number | null> {
  return await lstat(path).then(({ mode }) => mode, () => null)
}

async function ensureFolder(path: string): Promise<void> {
  if (await statFile(dirname(path)).catch(() => null) === null) await ensurePrivateDir(dirname(path))
}

function close(connection: SqliteConnection | null): void {
  try {
    connection?.close()
  } catch {
    // A half-opened database has nothing to close.
  }
}
