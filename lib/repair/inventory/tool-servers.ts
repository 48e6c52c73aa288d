import type { Account } from '../../accounts/mod.ts'
import { definitionOf } from '../definition/blank.ts'
import { toolServerRules } from '../definition/builtin.ts'
import type { RouteAccount } from './inventory.ts'
import { sourceOwners } from './relay.ts'

/** A tool server over HTTP, as far as planning needs to know it. */
export interface ToolServer {
  readonly name: string
  readonly url: string
  /** The account whose credential it gets; `null`: the login made for it, where there is one. */
  readonly account: string | null
  /** Whether gw has, or is about to have, a login for it. */
  readonly login: boolean
  /** Whether it is sent any credential. */
  readonly guarded: boolean
}

/** The kind of the routes of tool servers. */
export const toolServerKind = 'mcp-server'

/**
 * Tool servers as routes `server:account#mcp`: asked by beginning a session, mended by the login that their credential
 * comes from.
 */
export function toolServerRoutes(servers: readonly ToolServer[], accounts: readonly Account[]): RouteAccount[] {
  return servers.map(({ name, url, account, login: known, guarded }) => {
    const source = accounts.find(({ id }) => id === account)?.source
    const login = !guarded
      ? null
      : account === null
      ? ['gw', 'auth', 'login', 'mcp', name]
      : source?.type === 'login'
      ? ['gw', 'auth', 'login', source.vendor, ...(source.binding === null ? [] : ['--binding', source.binding])]
      : null
    const owner = !guarded
      ? 'manual_only' as const
      : account === null
      ? known ? 'oauth_mux_refresh' as const : 'upstream_cli_login' as const
      : (source && sourceOwners[source.type]) ?? 'manual_only'
    const definition = definitionOf({
      name,
      display_name: `MCP server ${name}`,
      extension_mode: 'transport_adapter',
      repair: { owner, ...(login ? { login_command: login } : {}) },
      capabilities: [{
        name: 'mcp',
        aliases: ['tools', 'resource'],
        proof_requirements: ['it begins a session with gw'],
        probe: { method: 'POST', url, hint_header: 'www-authenticate', hint_body: true },
      }],
      failure_rules: toolServerRules,
    })
    return {
      provider: name,
      kind: toolServerKind,
      account: account ?? name,
      priority: 0,
      definition,
      definitionFrom: 'catalog',
      configDirEnv: null,
      configDir: null,
      backend: owner === 'oauth_mux_refresh' ? 'store' : null,
      secret: null,
      relay: true,
      tags: [],
      quota: null,
      capabilities: ['mcp'],
    }
  })
}
