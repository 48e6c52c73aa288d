import { createApprovals, type Principal } from '../../../lib/access/mod.ts'
import type { ToolRules } from '../../../lib/access/tool-rules.ts'
import { type Logger, type PrincipalId, systemClock } from '../../../lib/base/mod.ts'
import type { LogFields } from '../../../lib/base/log.ts'
import { mcpConfig } from '../../../lib/mcp-proxy/config.ts'
import { type McpProxy, openMcpProxy } from '../../../lib/mcp-proxy/mod.ts'
import type { McpProxyOptions } from '../../../lib/mcp-proxy/proxy.ts'
import type { TargetEvidence } from '../../../lib/liveness/mod.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openStorage, type Storage } from '../../../lib/storage/mod.ts'

/** A caller by name, with every permission that calling tools takes. */
export const caller = (id: string, tools: readonly ToolRules[] = []): Principal => ({
  id: id as PrincipalId,
  kind: 'client',
  token: null,
  label: id,
  scopes: new Set(['mcp' as const]),
  models: null,
  providers: null,
  aliases: {},
  account: null,
  tools,
  expiresAt: null,
})

/** The proxy on a loopback port of its own; the caller is whoever `x-caller` names, `alice` otherwise. */
export interface ProxyFixture {
  readonly proxy: McpProxy
  readonly storage: Storage
  readonly approvals: ReturnType<typeof createApprovals>
  readonly observed: { provider: string; account: string; evidence: TargetEvidence }[]
  readonly logged: { event: string; fields: LogFields | undefined }[]
  url(server: string | null): string
  stop(): Promise<void>
}

/** Starts a {@link ProxyFixture} over an `[mcp]` section. */
export async function serveProxy(
  section: unknown,
  options: Partial<Pick<McpProxyOptions, 'credentials' | 'approvalUrl'>> & {
    /** The rules that each caller's token carries. */
    readonly tools?: Readonly<Record<string, readonly ToolRules[]>>
  } = {},
): Promise<ProxyFixture> {
  const storage = await openStorage({ platform: await detectPlatform(), clock: systemClock, path: ':memory:' })
  const config = mcpConfig.parse(section)
  const approvals = createApprovals({ storage, clock: systemClock, lifeMs: 60_000 })
  const logged: ProxyFixture['logged'] = []
  const observed: ProxyFixture['observed'] = []
  const logger: Logger = { log: (_, event, fields) => void logged.push({ event, fields }) }
  const proxy = await openMcpProxy({
    config: () => config,
    fetch: ({ url, method, headers, body, signal }) =>
      fetch(url, { method, headers, body, signal, redirect: 'manual' }),
    credentials: options.credentials ?? { get: () => Promise.resolve(null) },
    logins: { prepare: () => Promise.reject(new Error('no logins here')) },
    clientId: () => null,
    approvals,
    observe: (target, evidence) => void observed.push({ ...target, evidence }),
    storage,
    clock: systemClock,
    logger,
    env: (name) => process.env[name],
    approvalUrl: options.approvalUrl ?? null,
  })
  const http = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    fetch(request) {
      const host = request.headers.get('host') ?? ''
      const origin = request.headers.get('origin')
      const local = (text: string) => /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(text)
      if (!local(host) || (origin !== null && !local(new URL(origin).host))) return new Response(null, { status: 403 })
      const name = new URL(request.url).pathname.slice('/v1/mcp'.length + 1)
      const who = request.headers.get('x-caller') ?? 'alice'
      return proxy.handle(request, caller(who, options.tools?.[who]), name === '' ? null : name)
    },
  })
  return {
    proxy,
    storage,
    approvals,
    logged,
    observed,
    url: (server) => `http://127.0.0.1:${http.port}/v1/mcp${server === null ? '' : `/${server}`}`,
    async stop() {
      await proxy.close()
      await http.stop(true)
      await storage.close()
    },
  }
}
