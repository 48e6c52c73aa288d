import { accountsPicture, readRecords, readStoredProviders } from './accounts/look.ts'
import type { Clock, Logger } from './base/mod.ts'
import { createCatalog } from './catalog/look.ts'
import type { LoadedConfig } from './config/mod.ts'
import { inventoryFrom, spareProviders } from './inventory.ts'
import { readStandings, type StoredStanding } from './liveness/look.ts'
import { preparedLogins } from './mcp-proxy/look.ts'
import { paths, sqliteHere } from './platform/look.ts'
import { explainRoutes } from './repair/look.ts'
import type { Explanation, Scope } from './repair/mod.ts'
import { lookAtStorage } from './storage/look.ts'
import { version } from './version.ts'

/** What {@link lookAtRoutes} needs. */
export interface LookOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly loaded: LoadedConfig
}

/**
 * The routes of a home explained, as an open home would, from no more than explaining reads: the rows of its database
 * and this machine. A home opens thirty rooms to be ready for anything; this is for a command that asks one thing and
 * ends. Nothing is written, probed or connected to.
 *
 * @returns `null` where the home has to be opened first, as after an update
 * @throws GwError `scope.invalid`
 */
export async function lookAtRoutes(
  { clock, logger, loaded }: LookOptions,
  scope: Scope,
  action: Explanation['action'],
): Promise<Explanation | null> {
  const { config, env } = loaded
  const storage = await lookAtStorage({ openSqlite: await sqliteHere(), path: paths(env).database })
  if (storage === null) return null
  try {
    const catalog = createCatalog({
      settings: config.catalog,
      overlays: config.providers,
      stored: readStoredProviders(storage),
      spare: spareProviders(config),
    })
    const records = storage.rows<{ id: string; record: string }>(
      'select id, record from accounts order by created_ms, id',
    )
    const { accounts } = accountsPicture({
      declared: config.accounts,
      stored: await readRecords(records, logger),
      providers: catalog.providers,
      env,
    })
    const inventory = inventoryFrom({
      config,
      accounts,
      provider: (id) => catalog.provider(id),
      logins: preparedLogins(storage),
    })
    const standings = readStandings(storage.rows<StoredStanding>('select * from liveness'), clock.now())
    return await explainRoutes(
      { storage, clock, env, board: { get: standings }, version, news: () => null, inventory: () => inventory },
      scope,
      action,
    )
  } finally {
    storage.close()
  }
}
