import * as oauth from 'oauth4webapi'
import { GwError, isGwError } from '../../base/mod.ts'
import type { Grant } from '../grants/grant.ts'
import { tokenDocument, tokenRequest } from '../token-endpoint.ts'
import type { Vendor } from '../vendors/vendor.ts'
import { needClientId } from './authorize.ts'
import { clientAuthentication, exchangeCode, type ExchangeContext, grantOf } from './exchange-code.ts'

/** A device login that waits for its user. */
export interface DeviceLogin {
  readonly deviceCode: string
  readonly userCode: string
  /** Shown, never opened unasked: it was named by the far side. */
  readonly verifyUrl: string
  readonly intervalMs: number
  /** Epoch ms. */
  readonly expiresAt: number
  readonly verifier: string | null
}

/** What one poll said. */
export type DevicePoll =
  | { readonly type: 'pending'; readonly intervalMs: number }
  | { readonly type: 'done'; readonly grant: Grant }

const defaultIntervalMs = 5_000
const slowDownMs = 5_000
const longestIntervalMs = 60_000
const defaultLifeMs = 15 * 60_000

/**
 * Asks for a code that a person enters on another device.
 *
 * @throws GwError `request.unsupported`, `login.failed`, and as {@link tokenRequest} does
 */
export async function beginDevice(
  vendor: Vendor,
  scopes: readonly string[],
  context: ExchangeContext,
): Promise<DeviceLogin> {
  const { device } = vendor
  if (!device) {
    throw new GwError('request.unsupported', `${vendor.name} has no device login`, {
      hint: vendor.authorizeUrl || vendor.issuer ? `gw auth login ${vendor.id}, or with --paste` : `see ${vendor.docs}`,
    })
  }
  const codex = device.style === 'codex'
  // Public clients bind the login to themselves where the vendor knows how (Qwen requires it); others ignore it.
  const verifier = codex ? null : oauth.generateRandomCodeVerifier()
  const document = await tokenDocument({
    url: device.url,
    encoding: codex ? 'json' : 'form',
    what: vendor.name,
    headers: vendor.headers,
    body: codex ? { client_id: needClientId(vendor) } : {
      client_id: needClientId(vendor),
      scope: scopes.join(vendor.scopeSeparator),
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier!),
      code_challenge_method: 'S256',
    },
  }, context)
  const text = (...names: string[]) => {
    const value = names.map((name) => document[name]).find((value) => typeof value === 'string' && value !== '')
    return typeof value === 'string' && /^[\x21-\x7e]{1,2048}$/.test(value) ? value : null
  }
  const deviceCode = text('device_code', 'device_auth_id')
  const userCode = text('user_code', 'usercode')
  const verifyUrl = text('verification_uri_complete') ?? text('verification_uri', 'verification_url') ??
    device.verifyUrl
  if (!deviceCode || !userCode || !verifyUrl || !/^https?:\/\//.test(verifyUrl)) {
    throw new GwError('login.failed', `${vendor.name} did not give a device code`)
  }
  const seconds = (value: unknown) => Number(value) > 0 ? Number(value) * 1000 : null
  return {
    deviceCode,
    userCode,
    verifyUrl,
    verifier,
    intervalMs: Math.min(seconds(document.interval) ?? defaultIntervalMs, longestIntervalMs),
    expiresAt: context.clock.now() + Math.min(seconds(document.expires_in) ?? defaultLifeMs, 3_600_000),
  }
}

/**
 * Asks once whether the person has agreed.
 *
 * @throws GwError `login.timeout` when the code has run out, `login.denied` when the person said no
 * @see RFC 8628 §3.5
 */
export async function pollDevice(vendor: Vendor, login: DeviceLogin, context: ExchangeContext): Promise<DevicePoll> {
  if (context.clock.now() >= login.expiresAt) throw expired(vendor)
  try {
    return { type: 'done', grant: await ask(vendor, login, context) }
  } catch (error) {
    return { type: 'pending', intervalMs: nextInterval(vendor, login, error) }
  }
}

async function ask(vendor: Vendor, login: DeviceLogin, context: ExchangeContext): Promise<Grant> {
  const url = vendor.device!.pollUrl ?? vendor.tokenUrl!
  if (vendor.device!.style === 'rfc8628') {
    const { headers, body } = clientAuthentication(vendor, context.clientSecret)
    const answer = await tokenRequest({
      url,
      encoding: 'form',
      what: vendor.name,
      ...(headers ? { headers } : {}),
      body: {
        ...body,
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: login.deviceCode,
        code_verifier: login.verifier ?? undefined,
      },
    }, context)
    return await grantOf(vendor, answer, null, context)
  }
  const document = await tokenDocument({
    url,
    encoding: 'json',
    what: vendor.name,
    headers: vendor.headers,
    body: { device_auth_id: login.deviceCode, user_code: login.userCode },
  }, context)
  const { authorization_code: code, code_verifier: verifier } = document
  if (typeof code !== 'string' || typeof verifier !== 'string') {
    throw new GwError('login.failed', `${vendor.name} answered without a code`)
  }
  const redirectUri = vendor.device!.redirectUri!
  return await exchangeCode(vendor, { code, verifier, redirectUri, state: null, nonce: null }, context)
}

/** Milliseconds to wait before asking again; raises what ends the wait. */
function nextInterval(vendor: Vendor, login: DeviceLogin, error: unknown): number {
  if (!isGwError(error)) throw error
  const { oauth: code, status } = error.details ?? {}
  const slower = Math.min(login.intervalMs + slowDownMs, longestIntervalMs)
  if (code === 'slow_down' || status === 429) return slower
  if (code === 'authorization_pending') return login.intervalMs
  if (vendor.device!.style === 'codex' && (status === 403 || status === 404)) return login.intervalMs
  // A poll that got no answer says nothing about the login (RFC 8628 §3.5: back off and go on).
  if (error.code === 'credential.refresh_failed' || error.code.startsWith('upstream.')) return slower
  if (code === 'expired_token') throw expired(vendor)
  if (code === 'access_denied') {
    throw new GwError('login.denied', `${vendor.name}: the login was declined`, { hint: 'start the login again' })
  }
  throw error
}

const expired = (vendor: Vendor): GwError =>
  new GwError('login.timeout', `${vendor.name}: the code was not entered in time`, { hint: 'start the login again' })
