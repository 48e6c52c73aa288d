import { Buffer } from 'node:buffer'
import { dirname } from 'node:path'
import { GwError, isObject } from '../base/mod.ts'
import { ensurePrivateDir, readBounded, statFile, tighten, writeAtomic } from '../platform/mod.ts'
import type { MasterKey } from './cipher.ts'
import type { Keychain } from './keychain.ts'

/** Where the keys of a home are kept. */
export type KeyPlace = 'keychain' | 'file'

/** The keys of a home, newest first: records are sealed by the first and opened by any. */
export interface MasterKeys {
  readonly keys: readonly [MasterKey, ...MasterKey[]]
}

const service = 'gw'

/** A fresh random key. */
export function newMasterKey(): MasterKey {
  const kid = `k${Buffer.from(crypto.getRandomValues(new Uint8Array(4))).toString('hex')}`
  return { kid, bytes: crypto.getRandomValues(new Uint8Array(32)) }
}

/**
 * The keys kept in a place, or `null` when none were ever put there.
 *
 * @throws GwError `secret.locked` when the keychain does not answer, `secret.corrupt` when what is there is no key
 */
export async function readKeys(
  place: KeyPlace,
  keyFile: string,
  keychain: Keychain | null,
): Promise<MasterKeys | null> {
  const text = place === 'file'
    ? await readKeyFile(keyFile)
    : await (await needKeychain(keychain)).get(service, keyFile)
  return text === null ? null : parseKeys(text, place === 'file' ? keyFile : 'the keychain item of gw')
}

/** Keeps the keys in a place, whole or not at all. */
export async function writeKeys(
  place: KeyPlace,
  keyFile: string,
  keychain: Keychain | null,
  { keys }: MasterKeys,
): Promise<void> {
  const rows = keys.map(({ kid, bytes }) => ({ kid, key: Buffer.from(bytes).toString('base64url') }))
  const text = JSON.stringify({ version: 1, keys: rows })
  if (place === 'keychain') return await (await needKeychain(keychain)).set(service, keyFile, text)
  await ensurePrivateDir(dirname(keyFile))
  await writeAtomic(keyFile, `${text}\n`)
}

async function readKeyFile(path: string): Promise<string | null> {
  const text = await readBounded(path, 64 * 1024)
  const info = text === null ? null : await statFile(path)
  if (info && (info.mode & 0o077) !== 0) await tighten(path, 0o600)
  return text
}

async function needKeychain(keychain: Keychain | null): Promise<Keychain> {
  if (await keychain?.present()) return keychain!
  throw new GwError('secret.locked', 'the key of this home is in the keychain, and no keychain can be reached', {
    hint: 'start it in the desktop session that made the key, or unlock its keychain',
  })
}

function parseKeys(text: string, where: string): MasterKeys {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    value = null
  }
  const rows = isObject(value) && Array.isArray(value.keys) ? value.keys : []
  const keys = rows.flatMap((row): MasterKey[] => {
    if (!isObject(row) || typeof row.kid !== 'string' || typeof row.key !== 'string') return []
    const bytes = new Uint8Array(Buffer.from(row.key, 'base64url'))
    return bytes.length === 32 && /^k[0-9a-f]{8}$/.test(row.kid) ? [{ kid: row.kid, bytes }] : []
  })
  const [first, ...rest] = keys
  if (!first || keys.length !== rows.length) {
    throw new GwError('secret.corrupt', `${where} does not hold the keys of this home`, {
      hint: 'restore it from a backup; without it the stored secrets cannot be read and must be entered again',
    })
  }
  return { keys: [first, ...rest] }
}
