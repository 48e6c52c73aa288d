import { Buffer } from 'node:buffer'
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { z } from 'zod'
import { once, Secret } from '../../base/mod.ts'
import { fingerprint, type Grant } from './grant.ts'
import { identitySchema } from './identity-schema.ts'

/**
 * What a refresh brought, noted before it is written where it belongs: a holder that dies in between loses nothing.
 *
 * It is sealed under the refresh token that was spent for it. Whoever may read the login has that token, whichever home
 * it belongs to, and nobody else does; once the login is written, the note opens for nobody.
 */
export interface Renewal {
  /** Fingerprint of the refresh token that was spent. */
  readonly spent: string
  /** Fingerprint of the one that came for it. */
  readonly next: string
  readonly box: string
}

const schemas = once(() => {
  const text = z.string().nullable()
  const renewal = z.object({ spent: z.string(), next: z.string(), box: z.string() })
  const record = z.object({
    vendor: z.string(),
    access: text,
    refresh: text,
    id: text,
    expiresAt: z.number().nullable(),
    refreshedAt: z.number().nullable(),
    scopes: z.array(z.string()),
    identity: identitySchema(),
    clientId: text,
    resourceUrl: text,
  })
  return { renewal, record }
})

const cipher = 'aes-256-gcm'
const saltBytes = 16
const nonceBytes = 12
const tagBytes = 16

const keyOf = (spent: Secret, salt: Uint8Array): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', spent.reveal(), salt, 'gw renewal v1', 32))

/** The note of a refresh: `renewed` came for the refresh token `spent`. */
export function sealRenewal(spent: Secret, renewed: Grant): Renewal {
  const { accessToken, refreshToken, idToken, ...rest } = renewed
  const plain: z.input<ReturnType<typeof schemas>['record']> = {
    ...rest,
    scopes: [...rest.scopes],
    access: accessToken?.reveal() ?? null,
    refresh: refreshToken?.reveal() ?? null,
    id: idToken?.reveal() ?? null,
  }
  const [salt, nonce] = [randomBytes(saltBytes), randomBytes(nonceBytes)]
  const sealing = createCipheriv(cipher, keyOf(spent, salt), nonce)
  const body = Buffer.concat([sealing.update(JSON.stringify(plain), 'utf8'), sealing.final()])
  return {
    spent: fingerprint(spent),
    next: fingerprint(refreshToken ?? spent),
    box: Buffer.concat([salt, nonce, sealing.getAuthTag(), body]).toString('base64url'),
  }
}

/** What a note holds, opened with the refresh token that was spent; `null` when it is another's or was changed. */
export function openRenewal(spent: Secret, { box }: Renewal): Grant | null {
  const bytes = Buffer.from(box, 'base64url')
  const part = (from: number, length?: number) => bytes.subarray(from, length === undefined ? undefined : from + length)
  try {
    const opening = createDecipheriv(cipher, keyOf(spent, part(0, saltBytes)), part(saltBytes, nonceBytes))
    opening.setAuthTag(part(saltBytes + nonceBytes, tagBytes))
    const body = part(saltBytes + nonceBytes + tagBytes)
    const plain = Buffer.concat([opening.update(body), opening.final()]).toString('utf8')
    const { access, refresh, id, ...rest } = schemas().record.parse(JSON.parse(plain))
    const secret = (value: string | null) => value === null ? null : new Secret(value)
    return { ...rest, accessToken: secret(access), refreshToken: secret(refresh), idToken: secret(id) }
  } catch {
    return null
  }
}

/** A note as the ledger keeps it. `null` for none, and for one that is not understood. */
export function readRenewal(kept: string | null): Renewal | null {
  if (!kept) return null
  try {
    return schemas().renewal.parse(JSON.parse(kept))
  } catch {
    return null
  }
}
