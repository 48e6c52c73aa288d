import { Buffer } from 'node:buffer'
import { type Clock, GwError, Secret } from '../base/mod.ts'
import type { Storage, Writing } from '../storage/mod.ts'
import { type MasterKey, seal, sealedBy, unseal } from './cipher.ts'
import type { Keychain } from './keychain.ts'
import { type KeyPlace, type MasterKeys, newMasterKey, readKeys, writeKeys } from './master.ts'

/** What may be known about a stored secret without opening it. */
export interface SecretInfo {
  readonly ref: string
  /** The master key that seals it. */
  readonly kid: string
  /** Epoch ms. */
  readonly createdAt: number
  /** Epoch ms. */
  readonly updatedAt: number
}

/** A random key that gw made for itself. */
export interface SigningKey {
  readonly kid: string
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Epoch ms. */
  readonly createdAt: number
}

/** The encrypted secrets of a home, by reference. A reference may be logged; what it names may not. */
export interface SecretStore {
  /**
   * The secret, or `null` when there is none.
   *
   * @throws GwError `secret.corrupt` when its record does not open, `secret.locked` when the key cannot be had
   */
  get(ref: string): Promise<Secret | null>
  /** Stores or replaces; durable when it resolves, or when the transaction it is part of ends well. */
  put(ref: string, secret: Secret, tx?: Writing): Promise<void>
  /** Whether there was one. */
  delete(ref: string, tx?: Writing): Promise<boolean>
  /** What is stored, by reference, optionally below a prefix. */
  list(prefix?: string): Promise<readonly SecretInfo[]>
  /** The current signing key of that name, made on first use; all processes of a home get the same. */
  ensureKey(name: string, bytes: number): Promise<SigningKey>
  /** Every key of that name, newest first: sign with the first, verify with any. */
  keys(name: string): Promise<readonly SigningKey[]>
  /** Adds a newer signing key and keeps the last `keep` older ones for verifying. */
  rotateKey(name: string, bytes: number, keep: number): Promise<SigningKey>
  /** A text sealed under the key of this home and bound to a name, for a file that is kept elsewhere. */
  seal(ref: string, text: string): Promise<string>
  /** What {@link SecretStore.seal} sealed under that name. @throws GwError `secret.corrupt` */
  unseal(ref: string, sealed: string): Promise<string>
  /** Makes a new master key and seals every record again; returns how many. Older keys still open what is sealed elsewhere. */
  rotate(): Promise<number>
  /** Where the master key of this home is kept. */
  readonly keyPlace: KeyPlace
}

/** What {@link openSecretStore} needs. */
export interface SecretStoreOptions {
  readonly storage: Storage
  readonly clock: Clock
  /** The 0600 file that holds the key where there is no keychain; also names the keychain item. */
  readonly keyFile: string
  readonly keychain: Keychain | null
  /** `auto` prefers the keychain for a new home and stays where the key already is. */
  readonly keyStore?: 'auto' | KeyPlace
}

const placeFact = 'secrets.key_place'
const leaseName = 'secrets.key'
const leaseMs = 30_000
const keptGenerations = 8

/**
 * Opens the secret store of a home; makes its master key on first use.
 *
 * @throws GwError `secret.locked` or `secret.corrupt` when the key of an existing home cannot be had: a second key is
 * never made in its place
 */
export async function openSecretStore(options: SecretStoreOptions): Promise<SecretStore> {
  const { storage, clock, keyFile, keychain } = options
  const { db } = storage
  const place = await locate(options)
  let master = await readKeys(place, keyFile, keychain)
  if (!master) master = await withLease(storage, clock, () => createKeys(options, place))

  async function keyFor(ref: string, sealed: string): Promise<MasterKey> {
    const kid = sealedBy(sealed)
    const known = () => master!.keys.find((key) => key.kid === kid)
    // Another process may have rotated since we looked.
    if (kid !== null && !known()) master = (await readKeys(place, keyFile, keychain)) ?? master
    const key = known()
    if (!key) throw new GwError('secret.corrupt', `secret ${ref} needs a key that this home does not have`)
    return key
  }

  async function open(ref: string, sealed: string): Promise<string> {
    return await unseal(await keyFor(ref, sealed), ref, sealed)
  }

  async function read(ref: string): Promise<string | null> {
    const row = await db.selectFrom('secrets').select('sealed').where('ref', '=', ref).executeTakeFirst()
    return row ? await open(ref, row.sealed) : null
  }

  const within = <T>(tx: Writing | undefined, work: (tx: Writing) => Promise<T>): Promise<T> =>
    tx ? work(tx) : storage.write(work)

  async function put(
    ref: string,
    text: string,
    { onlyIfAbsent = false, tx }: { readonly onlyIfAbsent?: boolean; readonly tx?: Writing | undefined } = {},
  ): Promise<void> {
    if (!/^[\w./:@+-]{1,256}$/.test(ref)) throw new GwError('usage.invalid', `"${ref}" is no name for a secret`)
    const sealed = await seal(master!.keys[0], ref, text)
    const now = clock.now()
    await within(tx, (tx) =>
      tx.insertInto('secrets').values({ ref, sealed, created_ms: now, updated_ms: now })
        .onConflict((at) => {
          const conflict = at.column('ref')
          return onlyIfAbsent ? conflict.doNothing() : conflict.doUpdateSet({ sealed, updated_ms: now })
        }).execute())
  }

  async function signingKeys(name: string): Promise<SigningKey[]> {
    const text = await read(`key/${name}`)
    if (text === null) return []
    const rows = JSON.parse(text) as { kid: string; key: string; createdAt: number }[]
    return rows.map(({ kid, key, createdAt }) => ({
      kid,
      bytes: new Uint8Array(Buffer.from(key, 'base64url')),
      createdAt,
    }))
  }

  const signingText = (keys: readonly SigningKey[]): string =>
    JSON.stringify(keys.map((key) => ({ ...key, bytes: undefined, key: Buffer.from(key.bytes).toString('base64url') })))

  function newSigningKey(bytes: number): SigningKey {
    const kid = Buffer.from(crypto.getRandomValues(new Uint8Array(6))).toString('base64url')
    return { kid, bytes: crypto.getRandomValues(new Uint8Array(bytes)), createdAt: clock.now() }
  }

  return {
    keyPlace: place,
    async get(ref) {
      const text = await read(ref)
      return text === null ? null : new Secret(text)
    },
    put: (ref, secret, tx) => put(ref, secret.reveal(), { tx }),
    delete: (ref, tx) =>
      within(tx, async (tx) => {
        const result = await tx.deleteFrom('secrets').where('ref', '=', ref).executeTakeFirst()
        return result.numDeletedRows > 0n
      }),
    async list(prefix = '') {
      const rows = await db.selectFrom('secrets').selectAll().orderBy('ref').execute()
      return rows.filter((row) => row.ref.startsWith(prefix)).map((row) => ({
        ref: row.ref,
        kid: sealedBy(row.sealed) ?? 'unknown',
        createdAt: row.created_ms,
        updatedAt: row.updated_ms,
      }))
    },
    async ensureKey(name, bytes) {
      const [current] = await signingKeys(name)
      if (current) return current
      // Two processes may both get here: the first row stays, and both read it back.
      await put(`key/${name}`, signingText([newSigningKey(bytes)]), { onlyIfAbsent: true })
      return (await signingKeys(name))[0]!
    },
    keys: signingKeys,
    rotateKey: (name, bytes, keep) =>
      withLease(storage, clock, async () => {
        const fresh = newSigningKey(bytes)
        await put(`key/${name}`, signingText([fresh, ...(await signingKeys(name)).slice(0, keep)]))
        return fresh
      }),
    seal: (ref, text) => seal(master!.keys[0], ref, text),
    unseal: open,
    rotate: () =>
      withLease(storage, clock, async () => {
        const before = (await readKeys(place, keyFile, keychain)) ?? master!
        const fresh = newMasterKey()
        // Both keys are kept until the last record is sealed again: a kill between leaves everything readable.
        master = { keys: [fresh, ...before.keys] }
        await writeKeys(place, keyFile, keychain, master)
        const rows = await db.selectFrom('secrets').selectAll().execute()
        for (const row of rows) {
          if (sealedBy(row.sealed) === fresh.kid) continue
          const sealed = await seal(fresh, row.ref, await open(row.ref, row.sealed))
          await storage.write((tx) =>
            tx.updateTable('secrets').set({ sealed }).where('ref', '=', row.ref).where('sealed', '=', row.sealed)
              .execute()
          )
        }
        // Login files are sealed too, and again only at their next refresh: older keys stay for a few generations.
        master = { keys: [fresh, ...before.keys.slice(0, keptGenerations - 1)] }
        await writeKeys(place, keyFile, keychain, master)
        return rows.length
      }),
  }
}

/** Where the key of this home is, or shall be. Recorded once, so that an absent keychain never leads to a second key. */
async function locate({ storage, clock, keyFile, keychain, keyStore = 'auto' }: SecretStoreOptions): Promise<KeyPlace> {
  const read = async () => {
    const row = await storage.db.selectFrom('facts').select('value').where('key', '=', placeFact).executeTakeFirst()
    return row?.value as KeyPlace | undefined
  }
  const known = await read()
  if (known) return known
  const wanted = keyStore !== 'auto'
    ? keyStore
    : keychain && (await readKeys('file', keyFile, null)) === null && await keychain.present()
    ? 'keychain'
    : 'file'
  await storage.write((tx) =>
    tx.insertInto('facts').values({ key: placeFact, value: wanted, updated_ms: clock.now() })
      .onConflict((at) => at.column('key').doNothing()).execute()
  )
  return (await read())!
}

async function createKeys({ storage, keyFile, keychain }: SecretStoreOptions, place: KeyPlace): Promise<MasterKeys> {
  const existing = await readKeys(place, keyFile, keychain)
  if (existing) return existing
  const row = await storage.db.selectFrom('secrets').select('ref').limit(1).executeTakeFirst()
  if (row) {
    const where = place === 'file' ? keyFile : 'the keychain'
    throw new GwError('secret.locked', `this home has stored secrets, and their key is gone from ${where}`, {
      hint: 'restore the key from a backup, or remove the stored secrets and enter them again',
    })
  }
  const keys: MasterKeys = { keys: [newMasterKey()] }
  // A key for a database that is gone afterwards is of no use to anybody else.
  if (!storage.standIn) await writeKeys(place, keyFile, keychain, keys)
  return keys
}

async function withLease<T>(storage: Storage, clock: Clock, work: () => Promise<T>): Promise<T> {
  const until = clock.monotonic() + leaseMs
  for (;;) {
    const lease = await storage.lease(leaseName, leaseMs)
    if (lease) {
      try {
        return await work()
      } finally {
        await lease.release()
      }
    }
    if (clock.monotonic() > until) throw new GwError('secret.unavailable', 'another process holds the key of this home')
    await clock.sleep(25)
  }
}
