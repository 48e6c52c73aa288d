/**
 * What stay-afloat looks after in a home: the accounts that its configuration lists, those of the relay, and the tool
 * servers. Put together here for those who serve a home and for those who only look at one.
 */
import type { Account } from './accounts/mod.ts'
import type { Provider } from './catalog/mod.ts'
import type { Config } from './config/mod.ts'
import { mcpVendorId } from './mcp-proxy/look.ts'
import { createInventory, relayRoutes, toolServerRoutes } from './repair/look.ts'
import type { Inventory, ToolServer } from './repair/mod.ts'

/** What an inventory is made of. */
export interface InventoryParts {
  readonly config: Config
  readonly accounts: readonly Account[]
  readonly provider: (id: string) => Provider | null
  /** The vendors of the logins that were prepared for tool servers. */
  readonly logins: readonly string[]
}

/** The inventory of a home. */
export function inventoryFrom({ config, accounts, provider, logins }: InventoryParts): Inventory {
  return createInventory(config.stay_afloat, [
    ...relayRoutes(accounts, provider),
    ...toolServerRoutes(toolServers(config, logins), accounts),
  ])
}

/** The tool servers as providers: names that accounts may have, and that serve no models. */
export function spareProviders(config: Config): Provider[] {
  return toolServers(config, []).map(({ name, url }) => ({
    id: name,
    name: `MCP server ${name}`,
    aliases: [],
    env: [],
    auth: { type: 'bearer' },
    deployments: [],
    explicit: true,
    docs: url,
  }))
}

/** The tool servers that are reached over a network. */
function toolServers({ mcp }: Config, logins: readonly string[]): ToolServer[] {
  return Object.entries(mcp.servers).flatMap(([name, { url, account, auth }]) =>
    url === undefined ? [] : [{
      name,
      url,
      account: account ?? null,
      login: logins.includes(mcpVendorId(name)),
      guarded: auth.type !== 'none',
    }]
  )
}
