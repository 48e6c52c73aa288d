import type { CliIo } from './io.ts'
import type { GlobalOptions } from './session.ts'

/** What an {@link answersWithoutConfig} is asked with. */
interface Asked {
  readonly io: CliIo
  readonly options: GlobalOptions
  readonly version: string
}

/**
 * Operations that no configuration is needed for. Who has broken theirs asks for them to mend it, so on this machine
 * they are answered without reading it.
 */
export const answersWithoutConfig: Readonly<Record<string, (asked: Asked) => Promise<unknown>>> = {
  async 'config.path'({ io, options }) {
    const { paths, statFile } = await import('../../lib/platform/mod.ts')
    const at = paths(io.env)
    const path = options.config ?? at.config
    const exists = await statFile(path).then((found) => found !== null, () => true)
    return { path, exists, home: at.data, database: at.database }
  },

  async 'config.schema'() {
    const { configJsonSchema } = await import('../../lib/config/mod.ts')
    return { schema: await configJsonSchema() }
  },

  async 'system.version'({ version }) {
    const { detectPlatform } = await import('../../lib/platform/mod.ts')
    const platform = await detectPlatform()
    return { version, runtime: platform.name, runtimeVersion: platform.version }
  },
}
