import { join } from 'node:path'
import { type Clock, type Logger, silentLogger, systemClock } from '../../lib/base/mod.ts'
import { createLogins, type Fetch, type Logins, resolveVendors } from '../../lib/credentials/mod.ts'
import type { LoginOverrides } from '../../lib/credentials/vendors/config.ts'
import { detectPlatform, type Platform } from '../../lib/platform/mod.ts'
import { type Keychain, openSecretStore } from '../../lib/secrets/mod.ts'
import { openStorage, type Storage } from '../../lib/storage/mod.ts'

/** A gw home with logins in it, as its own process would open it. */
export interface LoginHome {
  readonly folder: string
  readonly storage: Storage
  readonly logins: Logins
  close(): Promise<void>
}

/** Opens a home for logins. Runs on every runtime: workers of the refresh tests use it too. */
export async function openLoginHome(options: {
  folder: string
  overrides?: Record<string, LoginOverrides>
  env?: Record<string, string>
  clock?: Clock
  fetch?: Fetch
  logger?: Logger
  keychain?: Keychain | null
  random?: () => number
  platform?: Platform
}): Promise<LoginHome> {
  const { folder, clock = systemClock, env = { HOME: folder } } = options
  const platform = options.platform ?? await detectPlatform()
  const storage = await openStorage({ platform, clock: systemClock, path: join(folder, 'gw.sqlite') })
  const secrets = await openSecretStore({ storage, clock, keyFile: join(folder, 'key'), keychain: null })
  const vendors = resolveVendors(options.overrides ?? {}, env)
  const logins = createLogins({
    platform,
    clock,
    env,
    fetch: options.fetch ?? fetch,
    logger: options.logger ?? silentLogger,
    secrets,
    keychain: options.keychain ?? null,
    folder: join(folder, 'auth'),
    vendors: () => vendors,
    ...(options.random ? { random: options.random } : {}),
  })
  return { folder, storage, logins, close: () => storage.close() }
}
