import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGateway, type Gateway } from '../../lib/create-gateway.ts'
import { operationContext } from '../../lib/operation-context.ts'
import { createMcpHttp } from '../../mcp/mod.ts'
import { startServer } from '../../server/main.ts'

/** A gateway that listens, with the demo upstream and an owner's token. */
export interface ServedGateway {
  readonly url: string
  readonly token: string
  readonly root: string
  readonly gateway: Gateway
  /** @param drainMs how long streams may finish; default: not at all */
  close(drainMs?: number): Promise<void>
}

/** Opens a {@link ServedGateway} on a free port and a folder of its own. */
export async function openServed(env: Record<string, string> = {}): Promise<ServedGateway> {
  const root = mkdtempSync(join(tmpdir(), 'gw-served-'))
  const gateway = await createGateway({ env, home: root, cwd: root, demo: true, keychain: null })
  const { rooms } = gateway
  const mcp = createMcpHttp({
    clock: rooms.clock,
    contextOf: (principal, signal) => operationContext(rooms, rooms.system, { principal, surface: 'mcp', signal }),
  })
  const running = await startServer(gateway, { port: 0, mcp: mcp.handle })
  const owner = await rooms.access.createOwnerToken()
  return {
    url: running.url,
    token: owner!.token.reveal(),
    root,
    gateway,
    async close(drainMs = 0) {
      mcp.close()
      await running.stop({ drainMs })
      rmSync(root, { recursive: true, force: true })
    },
  }
}
