import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where gw keeps its things. All absolute. */
export interface Paths {
  /** The config file. */
  readonly config: string
  /** Folder of everything durable: database, logins, harness, node. */
  readonly data: string
  readonly database: string
  /** The key file used where there is no OS keychain. */
  readonly keyFile: string
  /** `<provider>[.<binding>].json`: logins. */
  readonly auth: string
  readonly harness: string
  readonly node: string
  /** Sockets and locks; gone after a reboot. */
  readonly runtime: string
}

/**
 * The paths that an environment asks for: `$GW_HOME` holds everything, else the XDG folders do.
 *
 * @see https://specifications.freedesktop.org/basedir-spec/latest/
 */
export function paths(env: Readonly<Record<string, string | undefined>>): Paths {
  const home = env.HOME || homedir()
  const root = env.GW_HOME
  const configFolder = root || join(env.XDG_CONFIG_HOME || join(home, '.config'), 'gw')
  const data = root || join(env.XDG_DATA_HOME || join(home, '.local', 'share'), 'gw')
  const runtime = root
    ? join(root, 'run')
    : env.XDG_RUNTIME_DIR
    ? join(env.XDG_RUNTIME_DIR, 'gw')
    : join(tmpdir(), `gw-${process.getuid?.() ?? 'user'}`)
  return {
    config: env.GW_CONFIG || join(configFolder, 'config.toml'),
    data,
    database: join(data, 'gw.sqlite'),
    keyFile: join(data, 'key'),
    auth: join(data, 'auth'),
    harness: join(data, 'harness'),
    node: join(data, 'node'),
    runtime,
  }
}
