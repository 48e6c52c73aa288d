import { importPKCS8, SignJWT } from 'jose'
import { GwError, isObject, Secret } from '../../base/mod.ts'
import { readBounded } from '../../platform/mod.ts'
import { identityHash } from '../identity.ts'
import { tokenRequest } from '../token-endpoint.ts'
import { expandHome } from './plain.ts'
import type { ReadSource } from './source.ts'

const defaultScope = 'https://www.googleapis.com/auth/cloud-platform'
const tokenUrl = 'https://oauth2.googleapis.com/token'
/** Renewed this long before it ends. */
const marginMs = 5 * 60_000

/**
 * An access token minted from a Google key file: a signed assertion for a service account, a refresh for an authorized
 * user.
 *
 * @see RFC 7523 §2.1
 * @see https://developers.google.com/identity/protocols/oauth2/service-account
 */
export const readGoogle: ReadSource<'google'> = async (spec, { env, clock, fetch }, options) => {
  const path = expandHome(spec.path, env)
  const file = await keyFile(path)
  const now = clock.now()
  const form = file.type === 'authorized_user'
    ? {
      grant_type: 'refresh_token',
      client_id: file.client_id ?? '',
      client_secret: file.client_secret ?? '',
      refresh_token: file.refresh_token ?? '',
    }
    : {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: await assertion(file, path, spec.scope ?? defaultScope, now),
    }
  const { token, expiresAt } = await tokenRequest({ url: tokenUrl, body: form, encoding: 'form', what: 'Google' }, {
    fetch,
    clock,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  return {
    secret: new Secret(token.accessToken),
    kind: 'auth-token',
    accountId: null,
    expiresAt,
    audience: [],
    identity: identityHash('google', file.client_email ?? file.client_id ?? path),
    freshUntil: expiresAt === null ? now + marginMs : Math.max(now, expiresAt - marginMs),
  }
}

async function keyFile(path: string): Promise<Record<string, string | undefined>> {
  const text = await readBounded(path, 64 * 1024)
  if (text === null) throw new GwError('credential.unavailable', `${path} does not exist`)
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value) && (value.type === 'service_account' || value.type === 'authorized_user')) {
      return value as Record<string, string | undefined>
    }
  } catch {
    // falls through to the same answer: it is not a key file
  }
  throw new GwError('credential.unavailable', `${path} is not a Google key file`)
}

async function assertion(file: Record<string, string | undefined>, path: string, scope: string, now: number) {
  try {
    const key = await importPKCS8(file.private_key ?? '', 'RS256')
    return await new SignJWT({ scope }).setProtectedHeader({
      alg: 'RS256',
      typ: 'JWT',
      ...(file.private_key_id ? { kid: file.private_key_id } : {}),
    }).setIssuer(file.client_email ?? '').setAudience(tokenUrl).setIssuedAt(Math.floor(now / 1000))
      .setExpirationTime(Math.floor(now / 1000) + 3600).sign(key)
  } catch (cause) {
    throw new GwError('credential.unavailable', `${path} has no usable private key`, { cause })
  }
}
