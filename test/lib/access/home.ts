import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { accessConfig } from '../../../lib/access/config.ts'
import { type Access, createAccess } from '../../../lib/access/mod.ts'
import type { HashStore } from '../../../lib/access/shared-token.ts'
import type { KeyStore, SigningKey } from '../../../lib/access/keys.ts'
import { type Logger, type Secret, silentLogger } from '../../../lib/base/mod.ts'
import { type ManualClock, manualClock } from '../../support/manual-clock.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openStorage, type Storage } from '../../../lib/storage/mod.ts'

/** 2026-03-01T00:00:00Z. */
export const start = Date.UTC(2026, 2, 1)

/** A key store that forgets with the test. */
export function memoryKeys(): KeyStore & HashStore {
  const values = new Map<string, Secret>()
  let keys: SigningKey[] = []
  const make = () => {
    const key = {
      kid: `k${crypto.randomUUID().slice(0, 8)}`,
      bytes: crypto.getRandomValues(new Uint8Array(32)),
    }
    keys = [key, ...keys]
    return key
  }
  return {
    ensureKey: () => Promise.resolve(keys[0] ?? make()),
    keys: () => Promise.resolve(keys),
    rotateKey(_name, _bytes, keep) {
      const key = make()
      keys = keys.slice(0, keep + 1)
      return Promise.resolve(key)
    },
    get: (ref) => Promise.resolve(values.get(ref) ?? null),
    put: (ref, value) => Promise.resolve(void values.set(ref, value)),
    delete: (ref) => Promise.resolve(values.delete(ref)),
  }
}

/** One home with as many processes as a test opens. */
export interface TestHome {
  readonly clock: ManualClock
  readonly folder: string
  readonly keys: KeyStore & HashStore
  /** Another process of the same home: its own database connections and memory. */
  open(config?: unknown, logger?: Logger): Promise<{ access: Access; storage: Storage }>
}

/** Runs `work` in a home of its own. */
export async function inHome<T>(work: (home: TestHome) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'gw-access-'))
  const clock = manualClock(start)
  const keys = memoryKeys()
  const platform = await detectPlatform()
  const opened: { access: Access; storage: Storage }[] = []
  try {
    return await work({
      clock,
      folder,
      keys,
      async open(config = {}, logger = silentLogger) {
        const storage = await openStorage({ platform, clock, path: join(folder, 'gw.sqlite') })
        const access = await createAccess({
          storage,
          clock,
          secrets: keys,
          config: accessConfig.parse(config),
          mirrorFolder: folder,
          logger,
        })
        opened.push({ access, storage })
        return { access, storage }
      },
    })
  } finally {
    for (const { access, storage } of opened) {
      await access.close()
      await storage.close()
    }
    await rm(folder, { recursive: true })
  }
}

/** Headers with a bearer token. */
export const bearer = (token: string): Headers => new Headers({ authorization: `Bearer ${token}` })
