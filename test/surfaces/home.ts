import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAccess, createApprovals, operator, type Principal } from '../../lib/access/mod.ts'
import { openAccounts } from '../../lib/accounts/mod.ts'
import { silentLogger, systemClock } from '../../lib/base/mod.ts'
import type { Provider } from '../../lib/catalog/mod.ts'
import { type ConfigSources, liveConfig, loadConfig } from '../../lib/config/mod.ts'
import { createSources } from '../../lib/credentials/mod.ts'
import { createAuditLog, type OperationContext, type OperationRooms, type Surface } from '../../lib/operations/mod.ts'
import { detectPlatform, paths } from '../../lib/platform/mod.ts'
import { openSecretStore } from '../../lib/secrets/mod.ts'
import { openStorage, type Storage } from '../../lib/storage/mod.ts'

const provider = (id: string): Provider => ({
  id,
  name: id,
  aliases: [],
  env: [],
  auth: { type: 'bearer' },
  deployments: [{ protocol: 'openai-chat', capabilities: ['chat'], baseUrl: `https://api.${id}.test/v1` }],
  docs: `https://docs.${id}.test`,
})

/** A home with real rooms, for tests of the operations and the surfaces over them. */
export interface TestHome {
  readonly rooms: OperationRooms
  readonly storage: Storage
  readonly root: string
  context(as?: { principal?: Principal; surface?: Surface; gate?: OperationContext['gate'] }): OperationContext
  close(): Promise<void>
}

/** Opens a {@link TestHome} in a folder of its own. */
export async function openHome(env: Record<string, string> = {}): Promise<TestHome> {
  const root = mkdtempSync(join(tmpdir(), 'gw-operations-'))
  const clock = systemClock
  const all = { ...env, GW_HOME: root }
  const storage = await openStorage({ platform: await detectPlatform(), clock, path: join(root, 'gw.sqlite') })
  const secrets = await openSecretStore({ storage, clock, keyFile: join(root, 'key'), keychain: null })
  const from: ConfigSources = { env: all, cwd: root }
  const config = liveConfig(from, await loadConfig(from), { watch: false })
  const access = await createAccess({
    storage,
    clock,
    secrets,
    config: config.current().config.access,
    logger: silentLogger,
  })
  const sources = createSources({
    env: all,
    clock,
    fetch: () => Promise.reject(new Error('no network')),
    secrets,
    keychain: null,
    grants: {
      readLogin: () => Promise.reject(new Error('none')),
      readForeign: () => Promise.reject(new Error('none')),
    },
  })
  const accounts = await openAccounts({
    storage,
    clock,
    logger: silentLogger,
    secrets,
    sources,
    env: all,
    providers: () => [provider('alpha'), provider('beta')],
    declared: () => config.current().config.accounts,
    discover: false,
  })
  const rooms: OperationRooms = {
    system: {
      version: '0.0.0-test',
      runtime: { name: 'test', version: '0' },
      startedAt: clock.now(),
      paths: paths(all),
      url: null,
      notReady: () => null,
      inFlight: () => 0,
    },
    config,
    approvals: createApprovals({ storage, clock, lifeMs: 60_000 }),
    access,
    accounts,
  }
  const audit = createAuditLog({ storage, clock })
  return {
    rooms,
    storage,
    root,
    context: ({ principal = operator, surface = 'cli', gate = null } = {}) => ({
      principal,
      surface,
      rooms,
      audit,
      clock,
      signal: null,
      gate,
    }),
    async close() {
      config.stop()
      await access.close()
      await storage.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
