import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { SecretStore } from '../../secrets/mod.ts'
import { newer } from './grant.ts'
import { lockPathOf, ownFile } from './own-file.ts'
import type { GrantStore } from './store.ts'

/** Whether a path lies on a file system that is mounted read-only: nobody here can write it, whatever its mode. */
export async function onReadOnlyMount(path: string): Promise<boolean> {
  try {
    await access(dirname(path), constants.W_OK)
    return false
  } catch (error) {
    return (error as { code?: string }).code === 'EROFS'
  }
}

/**
 * A login of another program, or of a file that the user named, with a sealed spare in this home: where its renewed
 * token goes when its own place cannot be written any more. The newer of both counts, and the next write that succeeds
 * takes the spare away.
 */
export function withSpare(
  store: GrantStore,
  folder: string,
  secrets: Pick<SecretStore, 'seal' | 'unseal'>,
): GrantStore {
  const name = createHash('sha256').update(store.lockPath).digest('hex').slice(0, 16)
  const path = join(folder, `.spare.${name}.json`)
  const spare = ownFile(path, secrets)
  return {
    name: store.name,
    lockPath: store.lockPath,
    spareLockPath: lockPathOf(path),
    async read() {
      const grant = await store.read()
      // A login that was taken away is gone, whatever lies here.
      if (grant === null) return null
      const kept = await spare.read().catch(() => null)
      return kept === null ? grant : newer(grant, kept)
    },
    async version() {
      const [theirs, ours] = await Promise.all([store.version(), spare.version()])
      return theirs === null ? null : `${theirs}|${ours ?? ''}`
    },
    async prepare() {
      try {
        await store.prepare()
      } catch (error) {
        if (!await onReadOnlyMount(store.lockPath)) throw error
        await spare.prepare()
      }
    },
    async write(grant) {
      await store.write(grant)
      await spare.remove().catch(() => false)
    },
    rescue: (grant) => spare.write(grant),
    async remove() {
      await spare.remove().catch(() => false)
      return await store.remove()
    },
  }
}
