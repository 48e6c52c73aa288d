import { hash } from 'node:crypto'
import { GwError, type PrincipalId, type Secret } from '../base/mod.ts'
import type { AccessConfig } from './config.ts'
import { everything, type Grant, rightsOf } from './grant.ts'
import type { Principal } from './principal.ts'

/** The tokens that stand in the config. */
export interface StaticTokens {
  /** By SHA-256 of the token: a lookup by hash tells nothing about the value by its time. */
  readonly byHash: ReadonlyMap<string, Principal>
  /** What a principal of this config may hand on. */
  grantOf(principal: Principal): Grant | null
}

/** Below this many characters a shared token can be guessed. */
export const shortest = 16

/** The key under which a token is remembered: never the token itself. */
export function tokenHash(token: string): string {
  return hash('sha256', token, 'base64')
}

/**
 * The configured tokens, the shared server token and the admin key; `shared` is the hash of one that was set by command.
 *
 * @throws GwError `config.invalid` for a token that is too short, or a value that two of them share
 */
export function staticTokens(config: AccessConfig, shared: string | null = null): StaticTokens {
  const byHash = new Map<string, Principal>()
  const owners = new Map<string, string>()
  const grants = new Map<string, Grant>()

  function add(name: string, path: string, token: Secret, label: string, grant: Grant): void {
    const value = token.reveal()
    if (value.length < shortest) {
      throw new GwError('config.invalid', `${path} has fewer than ${shortest} characters`, {
        param: path,
        hint: 'make one with: openssl rand -hex 24',
      })
    }
    const key = tokenHash(value)
    const other = owners.get(key)
    if (other !== undefined) {
      throw new GwError('config.invalid', `ambiguous token configuration: ${other} and ${path} have the same value`, {
        param: path,
      })
    }
    owners.set(key, path)
    addHash(name, key, label, grant)
  }

  function addHash(name: string, key: string, label: string, grant: Grant): void {
    grants.set(`config:${name}`, grant)
    byHash.set(key, {
      id: `config:${name}` as PrincipalId,
      kind: 'client',
      token: null,
      label,
      ...rightsOf(grant),
      expiresAt: null,
    })
  }

  if (config.server_token && config.legacy_admin) {
    add('legacy-server-token', 'access.server_token', config.server_token, 'legacy-admin', everything)
  }
  if (config.admin_key) add('admin-key', 'access.admin_key', config.admin_key, 'admin key', everything)
  for (const [name, entry] of Object.entries(config.tokens)) {
    if (!entry.enabled) continue
    add(name, `access.tokens.${name}.token`, entry.token, entry.label ?? name, {
      ...everything,
      scopes: entry.admin ? ['admin'] : entry.scopes,
      models: entry.models ?? null,
      providers: entry.providers ?? null,
      account: entry.account ?? null,
      tools: entry.tools === undefined ? [] : [entry.tools],
    })
  }
  // The same value may stand in the config too: what it may do there is what it may do.
  if (shared !== null && !byHash.has(shared) && config.legacy_admin) {
    addHash('server-token', shared, 'server token', everything)
  }
  return { byHash, grantOf: (principal) => grants.get(principal.id) ?? null }
}
