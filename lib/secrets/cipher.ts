import { Buffer } from 'node:buffer'
import { GwError } from '../base/mod.ts'

/** A 32-byte key that wraps records, with the name it is found by. */
export interface MasterKey {
  /** `k` and eight hex digits: says nothing about the key. */
  readonly kid: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })
const saltBytes = 16
const nonceBytes = 12
const record = /^gw1\.(k[0-9a-f]{8})\.([A-Za-z0-9_-]+)$/

/** The id of the key that a sealed record needs, or `null` when the text is no such record. */
export function sealedBy(text: string): string | null {
  return record.exec(text)?.[1] ?? null
}

/**
 * Encrypts a text under its own key: HKDF-SHA-256 of the master key with a random salt, then AES-256-GCM with the
 * record's reference as additional data, so that a record moved to another reference no longer opens.
 *
 * @returns `gw1.<kid>.<base64url(salt ‖ nonce ‖ ciphertext ‖ tag)>`
 */
export async function seal(key: MasterKey, ref: string, text: string): Promise<string> {
  const salt = crypto.getRandomValues(new Uint8Array(saltBytes))
  const nonce = crypto.getRandomValues(new Uint8Array(nonceBytes))
  const derived = await derive(key, salt)
  const body = await crypto.subtle.encrypt(parameters(nonce, ref), derived, encoder.encode(text))
  return `gw1.${key.kid}.${Buffer.concat([salt, nonce, new Uint8Array(body)]).toString('base64url')}`
}

/**
 * The text of a record made by {@link seal}.
 *
 * @throws GwError `secret.corrupt` when it was changed, moved to another reference, or sealed by another key
 */
export async function unseal(key: MasterKey, ref: string, text: string): Promise<string> {
  const match = record.exec(text)
  const bytes = match && match[1] === key.kid ? Buffer.from(match[2]!, 'base64url') : null
  if (!bytes || bytes.length < saltBytes + nonceBytes + 16) {
    throw new GwError('secret.corrupt', `secret ${ref} is not a record of key ${key.kid}`)
  }
  try {
    const derived = await derive(key, copy(bytes.subarray(0, saltBytes)))
    const nonce = copy(bytes.subarray(saltBytes, saltBytes + nonceBytes))
    const body = copy(bytes.subarray(saltBytes + nonceBytes))
    return decoder.decode(await crypto.subtle.decrypt(parameters(nonce, ref), derived, body))
  } catch (cause) {
    throw new GwError('secret.corrupt', `secret ${ref} does not open: it was changed or belongs elsewhere`, {
      hint: 'store it again',
      cause,
    })
  }
}

/**
 * The text of a record of Link.Assistant.Router: `aes256gcm:` + base64(nonce ‖ ciphertext ‖ tag) under SHA-256 of its
 * `TOKEN_SECRET`. Read only; gw never writes this form.
 *
 * @throws GwError `secret.corrupt` when it is no such record or the secret is another
 */
export async function openRouterRecord(text: string, tokenSecret: string): Promise<string> {
  const bytes = text.startsWith('aes256gcm:') ? Buffer.from(text.slice(10), 'base64') : null
  if (!bytes || bytes.length < nonceBytes + 16) {
    throw new GwError('secret.corrupt', 'this is not an aes256gcm: record')
  }
  try {
    const raw = await crypto.subtle.digest('SHA-256', encoder.encode(tokenSecret))
    const key = await crypto.subtle.importKey('raw', raw, 'AES-GCM', false, ['decrypt'])
    const algorithm = { name: 'AES-GCM', iv: copy(bytes.subarray(0, nonceBytes)) }
    return decoder.decode(await crypto.subtle.decrypt(algorithm, key, copy(bytes.subarray(nonceBytes))))
  } catch (cause) {
    throw new GwError('secret.corrupt', 'an aes256gcm: record does not open with this TOKEN_SECRET', {
      hint: 'set TOKEN_SECRET to the value the router was run with',
      cause,
    })
  }
}

function parameters(iv: Uint8Array<ArrayBuffer>, ref: string): AesGcmParams {
  return { name: 'AES-GCM', iv, additionalData: encoder.encode(ref) }
}

async function derive(key: MasterKey, salt: Uint8Array<ArrayBuffer>): Promise<CryptoKey> {
  const base = await crypto.subtle.importKey('raw', key.bytes, 'HKDF', false, ['deriveKey'])
  const info = encoder.encode('gw secrets v1')
  const target = { name: 'AES-GCM', length: 256 }
  return await crypto.subtle.deriveKey({ name: 'HKDF', hash: 'SHA-256', salt, info }, base, target, false, [
    'encrypt',
    'decrypt',
  ])
}

const copy = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes)
