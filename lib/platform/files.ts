import { constants, type Stats } from 'node:fs'
import { chmod, lstat, mkdir, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { GwError } from '../base/mod.ts'

/** What tells one version of a file from another without reading it. */
export interface FileIdentity {
  readonly sizeBytes: number
  readonly modifiedAt: number
  readonly inode: number
  readonly mode: number
}

const code = (error: unknown): string | undefined => (error as { code?: string }).code

/** Makes a directory and its parents, 0700, and tightens an existing one that others can read. */
export async function ensurePrivateDir(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
  const info = await lstat(path)
  if (info.isDirectory() && (info.mode & 0o077) !== 0) await chmod(path, 0o700)
}

/**
 * Writes a file whole or not at all, 0600 from its first byte: temp file beside it, fsync, rename, fsync of the folder.
 *
 * A link in its place is replaced, never followed.
 */
export async function writeAtomic(path: string, content: string | Uint8Array): Promise<void> {
  const folder = dirname(path)
  const temp = join(folder, `.${basename(path)}.${process.pid}.${crypto.randomUUID().slice(0, 8)}.tmp`)
  const file = await open(temp, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600)
  try {
    await file.writeFile(content)
    await file.sync()
  } catch (error) {
    await file.close()
    await removeFile(temp)
    throw error
  }
  await file.close()
  try {
    await rename(temp, path)
  } catch (error) {
    await removeFile(temp)
    throw error
  }
  await syncFolder(folder)
}

/** Adds to a 0600 file, creating it if need be; refuses a link. */
export async function appendPrivate(path: string, content: string): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW
  const file = await open(path, flags, 0o600)
  try {
    await file.writeFile(content)
  } finally {
    await file.close()
  }
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
    throw new GwError('config.unreadable', `${path} cannot be read: ${(cause as Error).message}`, { cause })
  }
  try {
    const info = await file.stat()
    if (!info.isFile()) throw new GwError('config.unreadable', `${path} is not a file`)
    if (info.size > maxBytes) throw new GwError('config.unreadable', `${path} is larger than ${maxBytes} bytes`)
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
