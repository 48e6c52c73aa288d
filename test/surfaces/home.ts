import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { operator, type Principal } from '../../lib/access/mod.ts'
import { silentLogger, systemClock } from '../../lib/base/mod.ts'
import type { Provider } from '../../lib/catalog/mod.ts'
import { type ConfigSources, loadConfig } from '../../lib/config/mod.ts'
import { type Home, openHome as open } from '../../lib/open-home.ts'
import { operationRooms } from '../../lib/operation-context.ts'
import type { OperationContext, OperationRooms, Surface } from '../../lib/operations/mod.ts'
import { detectPlatform } from '../../lib/platform/mod.ts'

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
  readonly home: Home
  readonly root: string
  context(as?: { principal?: Principal; surface?: Surface; gate?: OperationContext['gate'] }): OperationContext
  close(): Promise<void>
}

/** Opens a {@link TestHome} in a folder of its own. */
export async function openHome(env: Record<string, string> = {}): Promise<TestHome> {
  const root = mkdtempSync(join(tmpdir(), 'gw-operations-'))
  const from: ConfigSources = { env: { ...env, GW_HOME: root }, cwd: root }
  const home = await open({
    platform: await detectPlatform(),
    clock: systemClock,
    random: Math.random,
    logger: silentLogger,
    from,
    loaded: await loadConfig(from),
    keychain: null,
    providers: [provider('alpha'), provider('beta')],
    watch: false,
  })
  const rooms = operationRooms(home, {
    version: '0.0.0-test',
    startedAt: home.clock.now(),
    url: null,
    notReady: () => null,
    inFlight: () => 0,
  })
  return {
    rooms,
    home,
    root,
    context: ({ principal = operator, surface = 'cli', gate = null } = {}) => ({
      principal,
      surface,
      rooms,
      audit: home.audit,
      clock: home.clock,
      signal: null,
      gate,
    }),
    async close() {
      await home.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}
