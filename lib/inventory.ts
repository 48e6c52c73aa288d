/**
 * What stay-afloat looks after in a home: the accounts that its configuration lists, those of the relay, and the tool
 * servers. Put together here for those who serve a home and for those who only look at one.
 */
import type { Account, Accounts } from './accounts/mod.ts'
import type { Catalog, Provider } from './catalog/mod.ts'
import type { Config, LiveConfig } from './config/mod.ts'
import { mcpVendorId } from './mcp-proxy/look.ts'
import type { McpLogins } from './mcp-proxy/mod.ts'
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

/** {@link inventoryFrom} a home that is open, made again only when its configuration, accounts or catalogue change. */
export function inventoryOf(
  config: LiveConfig,
  accounts: Accounts,
  catalog: () => Catalog,
  mcpLogins: Pick<McpLogins, 'list'>,
): () => Inventory {
  let made: { of: readonly unknown[]; inventory: Inventory } | null = null
  return () => {
    const prepared = mcpLogins.list().map(({ vendor }) => vendor.id).join(' ')
    const of = [config.current(), accounts.list(), catalog(), prepared] as const
    if (made?.of.every((item, i) => item === of[i])) return made.inventory
    const inventory = inventoryFrom({
      config: of[0].config,
      accounts: of[1],
      provider: (id) => of[2].provider(id),
      logins: prepared.split(' '),
    })
    made = { of, inventory }
    return inventory
  }
}
