import { constants, rmSync } from 'node:fs'
import { access, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { GwError } from '../base/mod.ts'

/** What to open instead of a database that must not, or cannot, be written. */
export interface ReadingCopy {
  readonly path: string
  remove(): Promise<void>
}

const can = (path: string, mode: number): Promise<boolean> => access(path, mode).then(() => true, () => false)

/**
 * A stand-in for reading: memory where there is no file, a private copy where the file or its folder cannot be written
 * (SQLite wants to write even to read), `null` where the file itself will do.
 *
 * @throws GwError `storage.failed` where it cannot be read either
 */
export async function readingCopy(path: string): Promise<ReadingCopy | null> {
  if (!await can(path, constants.F_OK)) return { path: ':memory:', remove: () => Promise.resolve() }
  if (await can(path, constants.W_OK) && await can(dirname(path), constants.W_OK)) return null
  if (!await can(path, constants.R_OK)) {
    throw new GwError('storage.failed', `${path} cannot be read: permission denied`, {
      hint: 'let the user who owns it run gw',
    })
  }
  const folder = await mkdtemp(join(tmpdir(), 'gw-reading-'))
  // A reader that goes away (`gw … | head`) ends the process at once.
  const atExit = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', atExit)
  const remove = async () => {
    process.off('exit', atExit)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const copy = join(folder, basename(path))
    await copyFile(path, copy)
    // What was committed last may still be in the log beside it.
    if (await can(`${path}-wal`, constants.R_OK)) await copyFile(`${path}-wal`, `${copy}-wal`)
    return { path: copy, remove }
  } catch (error) {
    await remove()
    throw error
  }
}
