import { createHmac } from 'node:crypto'
import { Buffer } from 'node:buffer'
import { GwError, type Secret } from '../base/mod.ts'

/** A key that signs or verifies tokens. */
export interface SigningKey {
  readonly kid: string
  readonly bytes: Uint8Array
}

/** Where gw's own signing keys live: the part of a secret store that access needs. */
export interface KeyStore {
  /** The current key of that name, made on first use; the same for all processes of a home. */
  ensureKey(name: string, bytes: number): Promise<SigningKey>
  /** Every key of that name, newest first. */
  keys(name: string): Promise<readonly SigningKey[]>
  /** Adds a newer key and keeps the last `keep` older ones for verifying. */
  rotateKey(name: string, bytes: number, keep: number): Promise<SigningKey>
}

/** The keys in use. */
export interface SigningKeys {
  /** Signs new tokens. */
  current(): Promise<SigningKey>
  /** The key a token names; a token without a name belongs to the configured secret. `null` when there is none. */
  find(kid: string | null): Promise<SigningKey | null>
  /** New tokens get a new key; tokens of the last `keep` keys stay good. */
  rotate(keep: number): Promise<string>
}

const name = 'access'
const keyBytes = 32
/** An unknown key id makes us look again, at most this often: another process may have rotated. */
const lookAgainAfterMs = 1_000

/**
 * Signing keys: the configured secret when there is one, else keys that gw makes and rotates itself. Tokens of gw's own
 * keys stay good when a secret is configured later.
 *
 * @throws GwError `config.invalid` for an empty, short or well-known secret
 */
export function signingKeys(store: KeyStore, tokenSecret: Secret | undefined, monotonic: () => number): SigningKeys {
  const configured = tokenSecret === undefined ? null : secretKey(tokenSecret)
  let known: readonly SigningKey[] | null = null
  let lookedAt = -Infinity

  async function load(): Promise<readonly SigningKey[]> {
    lookedAt = monotonic()
    return known = await store.keys(name)
  }

  return {
    async current() {
      if (configured) return configured
      const key = await store.ensureKey(name, keyBytes)
      if (!known?.some((one) => one.kid === key.kid)) known = [key, ...known ?? []]
      return key
    },
    async find(kid) {
      if (kid === null || kid === configured?.kid) return configured
      const found = (known ?? await load()).find((key) => key.kid === kid)
      if (found || monotonic() - lookedAt < lookAgainAfterMs) return found ?? null
      return (await load()).find((key) => key.kid === kid) ?? null
    },
    async rotate(keep) {
      if (configured) {
        throw new GwError('request.unsupported', 'the signing key is set by token_secret', {
          hint: 'change TOKEN_SECRET, or remove it so that gw keeps keys of its own',
        })
      }
      const key = await store.rotateKey(name, keyBytes, keep)
      await load()
      return key.kid
    },
  }
}

/** Values that stand in somebody's documentation, and so sign tokens for everybody. */
const documented =
  /change[-_ ]?(me|this)|your[-_ ]|my[-_ ]?(super)?[-_ ]?(secret|token)|(super|test|token|jwt)[-_ ]?secret|example|placeholder|replace[-_ ]|insert[-_ ]|password|letmein|0123456789|abcdefgh/i

function secretKey(secret: Secret): SigningKey {
  const text = secret.reveal()
  const bytes = Buffer.from(text, 'utf8')
  const hint = 'make one with: openssl rand -base64 48; or remove it, and gw keeps a key of its own'
  if (text.trim() === '') throw new GwError('config.invalid', 'TOKEN_SECRET is empty', { hint })
  if (bytes.length < keyBytes) {
    throw new GwError('config.invalid', `TOKEN_SECRET has ${bytes.length} bytes; HS256 needs ${keyBytes}`, { hint })
  }
  if (documented.test(text) || new Set(text).size < 10) {
    throw new GwError('config.invalid', 'TOKEN_SECRET is an example or easy to guess', { hint })
  }
  const id = createHmac('sha256', bytes).update('gw signing key id').digest('hex').slice(0, 8)
  return { kid: `e${id}`, bytes }
}
