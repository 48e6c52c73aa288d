import type { Principal } from './access/mod.ts'
import type { Home } from './open-home.ts'
import {
  approvalGate,
  type OperationContext,
  type OperationRooms,
  type Surface,
  type SystemFacts,
} from './operations/mod.ts'

/** The rooms that operations reach, from a home and what its process knows of itself. @internal */
export function operationRooms(home: Home, facts: Omit<SystemFacts, 'runtime' | 'paths'>): OperationRooms {
  const { name, version } = home.platform
  return {
    system: { ...facts, runtime: { name, version }, paths: home.paths },
    config: home.config,
    approvals: home.approvals,
    access: home.access,
    secrets: home.secrets,
    accounts: home.accounts,
    providerStore: home.providerStore,
    logins: home.logins,
    loginSessions: home.loginSessions,
    usage: home.usage,
    discovery: home.discovery,
    board: home.board,
    router: home.router,
    receipts: home.receipts,
    catalog: home.catalog,
    loadFacts: home.loadFacts,
    news: home.news,
    mcp: home.mcp,
    repair: home.repair,
    examine: async () => (await import('./doctor.ts')).examineOpen(home, facts.url),
  }
}

/**
 * What an operation is given when somebody calls it through a surface. Agents, who come through MCP, meet the policy of
 * `[operations]` on the way.
 */
export function operationContext(
  home: Home,
  facts: Omit<SystemFacts, 'runtime' | 'paths'>,
  { principal, surface, signal }: { principal: Principal; surface: Surface; signal: AbortSignal | null },
): OperationContext {
  const { approvals, audit, clock, config } = home
  const policy = config.current().config.operations
  return {
    principal,
    surface,
    rooms: operationRooms(home, facts),
    audit,
    clock,
    signal,
    gate: surface === 'mcp' ? approvalGate({ policy, approvals, principal }) : null,
  }
}
