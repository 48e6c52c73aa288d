import { accessSync, constants, copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { GwError } from '../base/mod.ts'

/** What to open instead of a database that must not, or cannot, be written. */
export interface ReadingCopy {
  readonly path: string
  remove(): void
}

function can(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}

/**
 * A stand-in for reading: memory where there is no file, a private copy where the file or its folder cannot be written
 * (SQLite wants to write even to read), `null` where the file itself will do.
 *
 * @throws GwError `storage.failed` where it cannot be read either
 */
export function readingCopy(path: string): ReadingCopy | null {
  if (!can(path, constants.F_OK)) return { path: ':memory:', remove: () => {} }
  if (can(path, constants.W_OK) && can(dirname(path), constants.W_OK)) return null
  if (!can(path, constants.R_OK)) {
    throw new GwError('storage.failed', `${path} cannot be read: permission denied`, {
      hint: 'let the user who owns it run gw',
    })
  }
  const folder = mkdtempSync(join(tmpdir(), 'gw-reading-'))
  // A reader that goes away (`gw … | head`) ends the process at once.
  const drop = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', drop)
  const remove = () => {
    process.off('exit', drop)
    drop()
  }
  try {
    const copy = join(folder, basename(path))
    copyFileSync(path, copy)
    // What was committed last may still be in the log beside it.
    if (can(`${path}-wal`, constants.R_OK)) copyFileSync(`${path}-wal`, `${copy}-wal`)
    return { path: copy, remove }
  } catch (error) {
    remove()
    throw error
  }
}
