import { basename, dirname, join } from 'node:path'
import { z } from 'zod'
import { GwError, once, Secret } from '../../base/mod.ts'
import { ensurePrivateDir, readBounded, removeFile, statFile, writeAtomic } from '../../platform/mod.ts'
import type { SecretStore } from '../../secrets/mod.ts'
import type { Grant } from './grant.ts'
import { identitySchema } from './identity-schema.ts'
import type { GrantStore } from './store.ts'

/** The file, and what is sealed in it. */
const schemas = once(() => {
  const text = z.string().nullable()
  const login = z.object({
    version: z.literal(1),
    vendor: z.string(),
    expires_at: z.number().nullable(),
    refreshed_at: z.number().nullable(),
    scopes: z.array(z.string()),
    client_id: text,
    resource_url: text,
    identity: identitySchema(),
    /** The three tokens, sealed under the key of this home. */
    sealed: z.string(),
  })
  const tokens = z.object({ access: text, refresh: text, id: text })
  return { login, tokens }
})

const sealRef = (path: string): string => `auth/${basename(path)}`

/** A login file of this home: what may be known in clear, the tokens sealed. */
export function ownFile(path: string, secrets: Pick<SecretStore, 'seal' | 'unseal'>): GrantStore {
  const corrupt = (cause?: unknown) =>
    new GwError('credential.unavailable', `${path} is not a login file of this home`, {
      hint: 'move it aside and log in again',
      cause,
    })
  return {
    name: path,
    lockPath: lockPathOf(path),
    async read() {
      const content = await readLogin(path, 1024 * 1024)
      if (content === null) return null
      let parsed
      try {
        parsed = schemas().login.parse(JSON.parse(content))
      } catch (cause) {
        throw corrupt(cause)
      }
      const opened = schemas().tokens.parse(JSON.parse(await secrets.unseal(sealRef(path), parsed.sealed)))
      const secret = (value: string | null) => value === null ? null : new Secret(value)
      return {
        vendor: parsed.vendor,
        accessToken: secret(opened.access),
        refreshToken: secret(opened.refresh),
        idToken: secret(opened.id),
        expiresAt: parsed.expires_at,
        refreshedAt: parsed.refreshed_at,
        scopes: parsed.scopes,
        identity: parsed.identity,
        clientId: parsed.client_id,
        resourceUrl: parsed.resource_url,
      }
    },
    version: () => fileVersion(path),
    prepare: () => proveWritable(path),
    async write(grant: Grant) {
      const plain = JSON.stringify({
        access: grant.accessToken?.reveal() ?? null,
        refresh: grant.refreshToken?.reveal() ?? null,
        id: grant.idToken?.reveal() ?? null,
      })
      const record: z.infer<ReturnType<typeof schemas>['login']> = {
        version: 1,
        vendor: grant.vendor,
        expires_at: grant.expiresAt,
        refreshed_at: grant.refreshedAt,
        scopes: [...grant.scopes],
        client_id: grant.clientId,
        resource_url: grant.resourceUrl,
        identity: grant.identity,
        sealed: await secrets.seal(sealRef(path), plain),
      }
      await ensurePrivateDir(dirname(path))
      await writeAtomic(path, `${JSON.stringify(record, null, 2)}\n`)
    },
    async remove() {
      const existed = await statFile(path) !== null
      await removeFile(path)
      return existed
    },
  }
}

/** The text of a login file, or `null`. @throws GwError `credential.unavailable` */
export async function readLogin(path: string, maxBytes: number): Promise<string | null> {
  try {
    return await readBounded(path, maxBytes)
  } catch (cause) {
    throw new GwError('credential.unavailable', `${path} cannot be read`, {
      hint: 'see what is there and who may read it; nothing was changed',
      cause,
    })
  }
}

/** The lock of a login file: hidden, beside it, so that every home that shares the file shares the lock. */
export function lockPathOf(path: string): string {
  return join(dirname(path), `.${basename(path)}.gw-lock`)
}

/** What a file looks like from outside. */
export async function fileVersion(path: string): Promise<string | null> {
  const info = await statFile(path).catch(() => null)
  return info && `${info.inode}:${info.sizeBytes}:${info.modifiedAt}`
}

/** Writes and syncs as many bytes as a login needs beside the file, and takes them away again. */
export async function proveWritable(path: string): Promise<void> {
  const probe = join(dirname(path), `.${basename(path)}.${process.pid}.probe`)
  try {
    await ensureFolder(path)
    await writeAtomic(probe, ' '.repeat(32 * 1024))
  } catch (cause) {
    throw new GwError('credential.unavailable', `${path} cannot be written, so its login is not refreshed`, {
      hint: 'check the folder, its permissions and the free space; nothing was spent',
      cause,
    })
  } finally {
    await removeFile(probe).catch(() => {})
  }
}

/** A folder of ours is made private; a folder of another program is left as it is. */
async function ensureFolder(path: string): Promise<void> {
  if (await statFile(path) === null) await ensurePrivateDir(dirname(path))
}
