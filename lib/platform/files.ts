import { constants, type Stats } from 'node:fs'
import { chmod, lstat, mkdir, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { GwError, isGwError } from '../base/mod.ts'

/** What tells one version of a file from another without reading it. */
export interface FileIdentity {
  readonly sizeBytes: number
  readonly modifiedAt: number
  readonly inode: number
  readonly mode: number
}

const code = (error: unknown): string | undefined => (error as { code?: string }).code

const mayNot = [
  'permission denied',
  'let the user who owns it run gw, or name a folder that this user may write',
] as const
const noRoom = ['no space is left on the disk', 'make room and try again'] as const

/** What the system's refusals mean, and what helps. */
const refusals: Readonly<Record<string, readonly [why: string, hint: string]>> = {
  EACCES: mayNot,
  EPERM: mayNot,
  EROFS: ['it is on a disk that can only be read', 'name a folder that can be written'],
  ENOTDIR: ['a file stands where its path needs a folder', 'move that file away, or name another folder'],
  EEXIST: ['something else stands there', 'move it away, or name another folder'],
  EISDIR: ['a folder stands there', 'move the folder away'],
  ELOOP: ['a link stands there', 'remove the link'],
  ENOENT: ['a folder of its path is missing', 'make the folder, or name another'],
  ENOSPC: noRoom,
  EDQUOT: noRoom,
}

/** A refusal of the system as an error that says what was refused, in words, and what helps. */
function refused(error: unknown, path: string, what: string): unknown {
  const [why, hint] = refusals[code(error) ?? ''] ?? []
  if (isGwError(error) || why === undefined) return error
  return new GwError('storage.failed', `${path} cannot be ${what}: ${why}`, { hint: hint!, cause: error })
}

/**
 * Makes a directory and its parents, 0700, and tightens an existing one that others can read.
 *
 * @throws GwError `storage.failed`
 */
export async function ensurePrivateDir(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw refused(error, path, 'made')
  }
  const info = await lstat(path)
  if (info.isDirectory() && (info.mode & 0o077) !== 0) await tighten(path, 0o700)
}

/**
 * Closes to others what they can read.
 *
 * @throws GwError `storage.failed` when it belongs to somebody else
 */
export async function tighten(path: string, mode: 0o600 | 0o700): Promise<void> {
  await chmod(path, mode).catch((error) => {
    throw refused(error, path, 'closed to others, who can read it')
  })
}

/**
 * Writes a file whole or not at all, 0600 from its first byte: temp file beside it, fsync, rename, fsync of the folder.
 *
 * A link in its place is replaced, never followed.
 *
 * @throws GwError `storage.failed`; the file is then as it was
 */
export async function writeAtomic(path: string, content: string | Uint8Array): Promise<void> {
  await placeFile(await stageFile(path, content), path)
}

/**
 * Writes what shall stand at a path beside it, 0600 and on the disk: {@link placeFile} puts it there.
 *
 * @returns the path of the file beside it
 * @throws GwError `storage.failed`; nothing is left behind
 */
export async function stageFile(path: string, content: string | Uint8Array): Promise<string> {
  const temp = join(dirname(path), `.${basename(path)}.${process.pid}.${crypto.randomUUID().slice(0, 8)}.tmp`)
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    const file = await open(temp, flags, 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } catch (error) {
      await file.close()
      await removeFile(temp)
      throw error
    }
    await file.close()
    return temp
  } catch (error) {
    throw refused(error, path, 'written')
  }
}

/**
 * Puts a file that {@link stageFile} wrote in the place it was written for.
 *
 * @throws GwError `storage.failed`; what stood there then stands there still
 */
export async function placeFile(temp: string, path: string): Promise<void> {
  try {
    await rename(temp, path)
  } catch (error) {
    await removeFile(temp)
    throw refused(error, path, 'written')
  }
  await syncFolder(dirname(path))
}

/**
 * The text of a file, or `null` when there is none.
 *
 * @throws GwError `config.unreadable` when it is larger than `maxBytes`, no regular file, or cannot be read
 */
export async function readBounded(path: string, maxBytes = 4 * 1024 * 1024): Promise<string | null> {
  let file
  try {
    file = await open(path, 'r')
  } catch (cause) {
    if (code(cause) === 'ENOENT' || code(cause) === 'ENOTDIR') return null
    const [why, hint] = refusals[code(cause) ?? ''] ?? [(cause as Error).message]
    throw new GwError('config.unreadable', `${path} cannot be read: ${why}`, { ...(hint ? { hint } : {}), cause })
  }
  try {
    const info = await file.stat()
    if (!info.isFile()) {
      const what = info.isDirectory() ? 'a folder' : 'something else'
      throw new GwError('config.unreadable', `${path} is not a file: ${what} stands there`, { hint: 'move it away' })
    }
    if (info.size > maxBytes) {
      throw new GwError('config.unreadable', `${path} is larger than ${maxBytes} bytes`, {
        hint: 'see whether it is the file that is meant',
      })
    }
    return await file.readFile('utf8')
  } finally {
    await file.close()
  }
}

/** What is there, or `null`. Links are followed. */
export async function statFile(path: string): Promise<FileIdentity | null> {
  let info: Stats
  try {
    const file = await open(path, 'r')
    try {
      info = await file.stat()
    } finally {
      await file.close()
    }
  } catch (error) {
    if (code(error) === 'ENOENT' || code(error) === 'ENOTDIR') return null
    throw error
  }
  return { sizeBytes: info.size, modifiedAt: info.mtimeMs, inode: Number(info.ino), mode: info.mode & 0o777 }
}

/** Removes a file; absent is fine. */
export async function removeFile(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (code(error) !== 'ENOENT') throw error
  }
}

async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  } catch {
    // Not every file system lets a folder be synced; the rename itself has happened.
  }
}
