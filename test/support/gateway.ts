import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Json, jsonLogger } from '../../lib/base/mod.ts'
import { createGateway, type Gateway, type GatewayOptions } from '../../lib/mod.ts'
import type { ProtocolId } from '../../lib/protocol/mod.ts'
import { type RunningServer, startServer } from '../../server/main.ts'

/** What stands as a provider key in tests: must never be seen outside an upstream request. */
export const plantedKey = 'sk-planted-7f3a9c51e2b84d06'

/** A gateway of its own home behind a real socket. */
export interface TestGateway extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without `/v1`. */
  readonly url: string
  /** The owner token. */
  readonly token: string
  readonly home: string
  readonly gateway: Gateway
  readonly server: RunningServer
  /** Log lines so far. */
  readonly log: readonly string[]
  close(): Promise<void>
}

/** How to start one. */
export interface TestGatewayOptions {
  /** Base URL, without `/v1`, that the accounts `openai` and `anthropic` send to; their key is {@link plantedKey}. */
  readonly upstream?: string
  /** Settings by path, over those that `upstream` makes. */
  readonly settings?: Readonly<Record<string, Json>>
  readonly demo?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** A home to open again; kept on close. */
  readonly home?: string
  readonly options?: Partial<GatewayOptions>
  /** Serves gw's own tools at `/mcp`. */
  readonly mcp?: boolean
}

/** Settings under which the accounts `openai` and `anthropic` send to `url`. */
export function accountsAt(url: string): Record<string, Json> {
  return {
    'egress.allow_origins': [new URL(url).origin],
    'accounts.openai': { provider: 'openai', base_url: `${url}/v1`, token_env: 'PLANTED_KEY' },
    'accounts.anthropic': { provider: 'anthropic', base_url: url, token_env: 'PLANTED_KEY' },
  }
}

/** Settings under which the model behind `url` is one provider called `up` that speaks one protocol only. */
export function providerAt(
  url: string,
  protocol: ProtocolId,
): Record<string, Json> {
  return {
    'egress.allow_origins': [new URL(url).origin],
    'providers.up': {
      name: 'Up',
      protocol,
      base_url: protocol.startsWith('openai') ? `${url}/v1` : url,
      auth: protocol === 'anthropic-messages'
        ? 'anthropic'
        : protocol === 'gemini'
        ? { type: 'header', name: 'x-goog-api-key' }
        : 'bearer',
      capabilities: ['chat'],
    },
    'accounts.up': { provider: 'up', token_env: 'PLANTED_KEY' },
  }
}

/** Starts a gateway on a free port of 127.0.0.1, with a home in the temporary folder and an owner token. */
export async function startGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const home = options.home ?? await mkdtemp(join(tmpdir(), 'gw-test-'))
  const log: string[] = []
  const gateway = await createGateway({
    home,
    cwd: home,
    env: { PLANTED_KEY: plantedKey, ...options.env },
    keychain: null,
    demo: options.demo ?? false,
    settings: { ...(options.upstream === undefined ? {} : accountsAt(options.upstream)), ...options.settings },
    logger: jsonLogger((line) => log.push(line), { level: 'debug' }),
    ...options.options,
  })
  const mcp = options.mcp ? await ownTools(gateway) : null
  const server = await startServer(gateway, { host: '127.0.0.1', port: 0, ...(mcp ? { mcp: mcp.handle } : {}) })
  const owner = await gateway.rooms.access.createOwnerToken()
  async function close(): Promise<void> {
    mcp?.close()
    await server.stop({ drainMs: 0 })
    if (options.home === undefined) await rm(home, { recursive: true, force: true })
  }
  return {
    url: server.url,
    token: owner ? owner.token.reveal() : '',
    home,
    gateway,
    server,
    log,
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function ownTools({ rooms }: Gateway) {
  const [{ createMcpHttp }, { operationContext }] = await Promise.all([
    import('../../mcp/mod.ts'),
    import('../../lib/operation-context.ts'),
  ])
  return createMcpHttp({
    clock: rooms.clock,
    contextOf: (principal, signal) => operationContext(rooms, rooms.system, { principal, surface: 'mcp', signal }),
  })
}
