import type { Storage } from './storage.ts'

/**
 * Follows what others commit to a database, for one who keeps a picture of what stands there, drawn after this began.
 *
 * @param read reads all of it again; one that fails leaves the last picture in place and is tried again at the next look
 * @returns looks, in about a microsecond: `null` while the picture is of now, else the reading to wait for. Never rejects.
 */
export function newsOf(
  storage: Pick<Storage, 'version'>,
  read: () => Promise<void>,
  failed: (error: unknown) => void,
): () => Promise<void> | null {
  let reading: Promise<void> | null = null
  let silent = false
  let seen: number | null = null

  /** A disk that fails for a while stops nobody: what was read last goes on counting, and is said once. */
  function versionNow(): number | null {
    try {
      const version = storage.version()
      silent = false
      return version
    } catch (error) {
      if (!silent) failed(error)
      silent = true
      return seen
    }
  }

  seen = versionNow()

  return () => {
    const version = versionNow()
    if (version === seen) return reading
    seen = version
    const mine = reading = read().catch((error: unknown) => {
      seen = null
      failed(error)
    }).finally(() => {
      if (reading === mine) reading = null
    })
    return mine
  }
}
