// @ts-types="@modelcontextprotocol/sdk/server/stdio"
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import type { Principal } from '../lib/access/mod.ts'
import { type ContextOf, mcpServerFor } from './server.ts'

/** Serves one client on standard input and output until it leaves. Nothing else may be written to standard output. */
export async function serveStdio(principal: Principal, contextOf: ContextOf, signal: AbortSignal): Promise<void> {
  const server = mcpServerFor(principal, contextOf)
  const closed = new Promise<void>((resolve) => {
    server.onclose = resolve
    process.stdin.once('end', resolve)
    process.stdin.once('close', resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
  await server.connect(new StdioServerTransport())
  await closed
  await server.close()
}
