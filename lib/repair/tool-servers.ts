import type { Secret } from '../base/mod.ts'
import { GwError } from '../base/mod.ts'
import type { ProbeOutcome } from './classify.ts'
import type { RelayAccounts } from './context.ts'
import { toolServerKind } from './inventory/tool-servers.ts'

/** What planning asks of the door to tool servers. */
export interface ToolServerDoor {
  /** What proves gw to a server, renewed first where `force` says so; `null` when there is nothing yet. */
  credential(server: string, force: boolean): Promise<
    { readonly secret: Secret; readonly expiresAt: number | null; readonly identity: string | null } | null
  >
  /** Begins a session with a server and ends it again. */
  ask(server: string, timeoutMs: number): Promise<ProbeOutcome>
}

/** The accounts of the relay and the tool servers: each route is asked where it belongs. */
export function withToolServers(relay: RelayAccounts, door: ToolServerDoor): RelayAccounts {
  return {
    async lease(route, options = {}) {
      if (route.kind !== toolServerKind) return await relay.lease(route, options)
      const credential = await door.credential(route.provider, options.force ?? false)
      if (!credential) {
        throw new GwError('credential.login_required', `there is no login for ${route.provider} yet`, {
          hint: `gw auth login mcp ${route.provider}`,
        })
      }
      return { token: credential.secret, expiresAt: credential.expiresAt, identity: credential.identity }
    },
    ask: (route, capability, timeoutMs) =>
      route.kind === toolServerKind ? door.ask(route.provider, timeoutMs) : relay.ask(route, capability, timeoutMs),
  }
}
