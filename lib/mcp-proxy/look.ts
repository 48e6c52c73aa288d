/** The door of the MCP proxy for those who only look: which servers have a login, and not the login. */
import type { Rows } from '../storage/mod.ts'

/** Keys under which prepared logins are kept. */
export const factPrefix = 'mcp.login.'

/** The vendor's id of a server's login, as `gw auth` spells it. */
export function mcpVendorId(server: string): string {
  return `mcp-${server.toLowerCase().replaceAll('.', '-')}`
}

/** The vendors of the logins that were prepared, for those who only look. */
export function preparedLogins(look: Rows): readonly string[] {
  const query = 'select key from facts where key >= ? and key < ?'
  return look.rows<{ key: string }>(query, [factPrefix, `${factPrefix}\uffff`]).map(({ key }) =>
    key.slice(factPrefix.length)
  )
}
