import { GwError, nearest, type Secret } from '../../base/mod.ts'
import { originsOf } from '../audience.ts'
import { chatgpt } from './chatgpt.ts'
import { claude } from './claude.ts'
import { type LoginOverrides, loginOverrides } from './config.ts'
import { overrideKeys } from './override-keys.ts'
import { connectorVendors } from './connectors.ts'
import { copilot } from './copilot.ts'
import { gemini } from './gemini.ts'
import { minimax } from './minimax.ts'
import { qwen } from './qwen.ts'
import { siwc } from './siwc.ts'
import { type Vendor, vendorDefaults } from './vendor.ts'

/** Every vendor that gw knows by itself. */
const builtinVendors: readonly Vendor[] = [
  chatgpt,
  claude,
  copilot,
  gemini,
  minimax,
  qwen,
  siwc,
  ...connectorVendors,
]

type Environment = Readonly<Record<string, string | undefined>>

/** A vendor that this home found by discovery, with the secret of the client it registered there. */
export interface FoundVendor {
  readonly vendor: Vendor
  readonly clientSecret: Secret | null
}

/** The vendors of a home: the built-in ones under its overrides, and the issuers its config adds. */
export interface Vendors {
  list(): readonly Vendor[]
  /** By id or alias. @throws GwError `request.not_found` */
  get(id: string): Vendor
  /** The client secret of a vendor that has one. @throws GwError `credential.unavailable` when it is not set */
  clientSecret(vendor: Vendor): string | null
}

/**
 * Lays a home's overrides over the built-in vendors: `[logins.<vendor>]` of the config, then `GW_LOGIN_<VENDOR>_<KEY>`
 * of the environment. A name that is not built in and has an issuer is an OpenID provider of its own.
 */
export function resolveVendors(
  overrides: Readonly<Record<string, LoginOverrides>>,
  env: Environment,
  found: readonly FoundVendor[] = [],
): Vendors {
  const builtin = new Map([...builtinVendors, ...found.map(({ vendor }) => vendor)].map((one) => [one.id, one]))
  const ids = new Set([...builtin.keys(), ...Object.keys(overrides)])
  const secrets = new Map(
    found.flatMap(({ vendor, clientSecret }) =>
      clientSecret === null ? [] : [[vendor.id, clientSecret.reveal()] as const]
    ),
  )
  const vendors = [...ids].map((id) => {
    const given = { ...overrides[id], ...fromEnvironment(id, env) }
    if (given.client_secret) secrets.set(id, given.client_secret)
    return overlay(builtin.get(id) ?? issuerVendor(id), given)
  })
  const byName = new Map(vendors.flatMap((vendor) => vendor.aliases.map((alias) => [alias, vendor] as const)))
  for (const vendor of vendors) byName.set(vendor.id, vendor)
  return {
    list: () => vendors,
    get(id) {
      const vendor = byName.get(id)
      if (vendor) return vendor
      const ids = vendors.map((vendor) => vendor.id)
      const [meant] = nearest(id, ids, 1)
      const known = `known are ${ids.join(', ')}; add an issuer as [logins.${id}]`
      throw new GwError('request.not_found', `there is nobody called ${id} to log in with`, {
        hint: meant === undefined ? known : `did you mean ${meant}? ${known}`,
      })
    },
    clientSecret(vendor) {
      if (vendor.clientAuth === 'none') return null
      const value = secrets.get(vendor.id) ?? (vendor.clientSecretEnv ? env[vendor.clientSecretEnv]?.trim() : undefined)
      if (value) return value
      throw new GwError('credential.unavailable', `${vendor.name}: the client secret is not set`, {
        hint: `export ${vendor.clientSecretEnv}, or set client_secret_env in [logins.${vendor.id}]`,
      })
    },
  }
}

function issuerVendor(id: string): Vendor {
  return { ...vendorDefaults, id, name: id, file: id, docs: 'https://openid.net/specs/openid-connect-core-1_0.html' }
}

/** Variables that other tools read for the same thing. */
const aliases: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  chatgpt: { refresh_url: 'CODEX_REFRESH_TOKEN_URL_OVERRIDE' },
}

const listOf = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean)
/** How the fields that are no text are written in a variable: lists by blanks or commas, tables as JSON. */
const readers: Readonly<Record<string, (text: string) => unknown>> = {
  scopes: listOf,
  audience: listOf,
  redirect_ports: (text) => listOf(text).map(Number),
  headers: (text) => JSON.parse(text),
  authorize_params: (text) => JSON.parse(text),
}

/** @throws GwError `config.invalid` naming the variable, without its value */
function fromEnvironment(id: string, env: Environment): LoginOverrides {
  const prefix = `GW_LOGIN_${id.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_`
  const found: Record<string, unknown> = {}
  for (const key of overrideKeys) {
    const variable = prefix + key.toUpperCase()
    const name = env[variable] ? variable : aliases[id]?.[key]
    const text = name === undefined ? undefined : env[name]
    if (name === undefined || !text) continue
    const wrong = (why: string) => new GwError('config.invalid', `${name}: ${why}`, { param: name })
    try {
      found[key] = (readers[key] ?? String)(text)
    } catch {
      throw wrong('is no JSON object')
    }
    const checked = loginOverrides().safeParse({ [key]: found[key] })
    if (!checked.success) throw wrong(checked.error.issues[0]!.message)
  }
  return found as LoginOverrides
}

function overlay(vendor: Vendor, given: LoginOverrides): Vendor {
  const { device } = vendor
  return {
    ...vendor,
    name: given.name ?? vendor.name,
    provider: given.provider ?? vendor.provider,
    clientId: given.client_id ?? vendor.clientId,
    clientSecretEnv: given.client_secret_env ?? vendor.clientSecretEnv,
    clientAuth: given.client_auth ??
      (vendor.clientAuth === 'none' && (given.client_secret || given.client_secret_env) ? 'basic' : vendor.clientAuth),
    issuer: given.issuer ?? vendor.issuer,
    authorizeUrl: given.authorize_url ?? vendor.authorizeUrl,
    authorizeParams: { ...vendor.authorizeParams, ...given.authorize_params },
    redirect: {
      host: given.redirect_host ?? vendor.redirect.host,
      ports: given.redirect_ports ?? vendor.redirect.ports,
      path: given.redirect_path ?? vendor.redirect.path,
      hosted: given.hosted_redirect ?? vendor.redirect.hosted,
    },
    registrationUrl: given.registration_url ?? vendor.registrationUrl,
    tokenUrl: given.token_url ?? vendor.tokenUrl,
    refreshUrl: given.refresh_url ?? vendor.refreshUrl,
    headers: { ...vendor.headers, ...given.headers },
    scopes: given.scopes ?? vendor.scopes,
    device: device || given.device_url
      ? {
        style: device?.style ?? 'rfc8628',
        url: given.device_url ?? device!.url,
        pollUrl: given.device_poll_url ?? device?.pollUrl ?? null,
        verifyUrl: given.device_verify_url ?? device?.verifyUrl ?? null,
        redirectUri: device?.redirectUri ?? null,
      }
      : null,
    revokeUrl: given.revoke_url ?? vendor.revokeUrl,
    profileUrl: given.profile_url ?? vendor.profileUrl,
    apiKeyUrl: given.api_key_url ?? vendor.apiKeyUrl,
    exchangeUrl: given.exchange_url ?? vendor.exchangeUrl,
    audience: given.audience ? originsOf(given.audience) : vendor.audience,
  }
}
