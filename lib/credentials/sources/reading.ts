import { GwError, Secret } from '../../base/mod.ts'
import type { Reading } from '../credential.ts'
import { claimedExpiry, identityOf, kindOf } from '../identity.ts'
import { readPayload } from '../payload.ts'

/** Longest token that is believed to be one. */
const maxTokenLength = 64 * 1024

/**
 * The reading of a bare token.
 *
 * @throws GwError `credential.unavailable` when the text is not exactly one token
 */
export function tokenReading(text: string, what: string, freshUntil: number): Reading {
  const token = text.replace(/\r?\n$/, '')
  if (token.trim() === '') throw new GwError('credential.unavailable', `${what} is empty`)
  if (/[\r\n]/.test(token)) throw new GwError('credential.unavailable', `${what} gave more than one line`)
  if (!/^[\x21-\x7e]+$/.test(token) || token.length > maxTokenLength) {
    throw new GwError('credential.unavailable', `${what} gave something that is not one token`)
  }
  const expiresAt = claimedExpiry(token)
  return {
    secret: new Secret(token),
    kind: kindOf(token),
    accountId: null,
    expiresAt,
    audience: [],
    identity: identityOf(token),
    freshUntil: expiresAt === null ? freshUntil : Math.min(freshUntil, expiresAt),
  }
}

/** The reading of a document: a bare token, or JSON in any known shape of a login. */
export function documentReading(text: string, what: string, freshUntil: number): Reading {
  if (!text.trimStart().startsWith('{')) return tokenReading(text.trim(), what, freshUntil)
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    throw new GwError('credential.unavailable', `${what} is not valid JSON`, {
      hint: 'it may be half-written; try again, or log in again with the tool that owns it',
    })
  }
  const payload = readPayload(document)
  const token = payload?.accessToken ?? payload?.apiKey
  if (!payload || !token) throw new GwError('credential.unavailable', `${what} holds no token`)
  const reading = tokenReading(token, what, freshUntil)
  const expiresAt = payload.accessToken ? payload.expiresAt ?? reading.expiresAt : null
  return { ...reading, accountId: payload.accountId, expiresAt }
}
