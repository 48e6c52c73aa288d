import { createHmac, timingSafeEqual } from 'node:crypto'
import { Buffer } from 'node:buffer'
import { SignJWT } from 'jose'
import { GwError, isObject } from '../base/mod.ts'
import type { SigningKey, SigningKeys } from './keys.ts'

/** What every issued token begins with. */
const tokenPrefix = 'la_sk_'

/** Longest token that is looked at; ours have about 400 characters. */
const longestToken = 4_096

/** What a token says about itself. The record in the store says what it may do. */
export interface TokenClaims {
  /** UUID; also the `jti`. */
  readonly id: string
  readonly label: string
  /** Epoch ms. */
  readonly issuedAt: number
  /** Epoch ms; `null` never. */
  readonly expiresAt: number | null
}

/**
 * The text of a new token: `la_sk_` and a JWT signed with HS256.
 *
 * @see RFC 7519; RFC 8725 (one pinned algorithm, explicit type)
 */
export async function signToken(claims: TokenClaims, key: SigningKey): Promise<string> {
  const jwt = new SignJWT({ label: claims.label })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: key.kid })
    .setSubject(claims.id).setJti(claims.id).setIssuedAt(Math.floor(claims.issuedAt / 1000))
  if (claims.expiresAt !== null) jwt.setExpirationTime(Math.floor(claims.expiresAt / 1000))
  return tokenPrefix + await jwt.sign(key.bytes)
}

/**
 * The claims of a presented token whose prefix and signature are right. Whether it has run out or been revoked is the
 * caller's next question.
 *
 * The header may name `alg`, `typ` and `kid` and nothing else: no key, no address of a key, no extension is ever taken
 * from a token.
 *
 * @throws GwError `access.invalid`, with a message that begins `Invalid token`
 */
export async function verifyToken(token: string, keys: SigningKeys): Promise<TokenClaims> {
  if (!token.startsWith(tokenPrefix)) throw invalid(`it does not begin with ${tokenPrefix}`)
  if (token.length > longestToken) throw invalid('it is too long')
  const parts = token.slice(tokenPrefix.length).split('.')
  if (parts.length !== 3) throw invalid('it has not the three parts of a JWT')
  const [header, payload, signature] = parts as [string, string, string]
  const kid = readHeader(header)
  const presented = bytesOf(signature, 'signature')
  const key = await keys.find(kid)
  if (!key) throw invalid('it was signed with a key that this gw does not have')
  const expected = createHmac('sha256', key.bytes).update(`${header}.${payload}`).digest()
  if (presented.length !== expected.length || !timingSafeEqual(presented, expected)) throw invalid('bad signature')
  return readClaims(payload)
}

function readHeader(text: string): string | null {
  const header = objectOf(text, 'header')
  for (const name of Object.keys(header)) {
    if (name !== 'alg' && name !== 'typ' && name !== 'kid') throw invalid('its header has a member that is not allowed')
  }
  if (header.alg !== 'HS256') throw invalid('its algorithm is not HS256')
  if (header.typ !== undefined && header.typ !== 'JWT') throw invalid('its type is not JWT')
  if (header.kid === undefined) return null
  if (typeof header.kid !== 'string' || !/^[\w-]{1,64}$/.test(header.kid)) throw invalid('its key id is malformed')
  return header.kid
}

function readClaims(text: string): TokenClaims {
  const claims = objectOf(text, 'payload')
  const { sub, jti, iat, exp, nbf, label = '' } = claims
  if (typeof sub !== 'string' || !/^[\w-]{1,64}$/.test(sub)) throw invalid('its subject is malformed')
  if (jti !== undefined && jti !== sub) throw invalid('its jti is not its subject')
  if (!isSeconds(iat)) throw invalid('its issue time is malformed')
  if (exp !== undefined && !isSeconds(exp)) throw invalid('its expiry is malformed')
  // We never set it; a token that carries one is not one of ours.
  if (nbf !== undefined) throw invalid('it has a claim that is not allowed')
  if (typeof label !== 'string') throw invalid('its label is malformed')
  return { id: sub, label, issuedAt: iat * 1000, expiresAt: exp === undefined ? null : exp * 1000 }
}

const isSeconds = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 253_402_300_799

function objectOf(text: string, what: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytesOf(text, what)))
  } catch {
    throw invalid(`its ${what} is malformed`)
  }
  if (!isObject(value)) throw invalid(`its ${what} is malformed`)
  return value
}

/** Strict base64url: one text for one value, so that no second spelling of a token exists. */
function bytesOf(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (text === '' || bytes.toString('base64url') !== text) throw invalid(`its ${what} is not base64url`)
  return bytes
}

function invalid(why: string): GwError {
  return new GwError('access.invalid', `Invalid token: ${why}`)
}
