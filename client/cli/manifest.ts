import { invariant } from '../../lib/base/mod.ts'
import settingsManifest from '../../lib/config/manifest.json' with { type: 'json' }
import operationsManifest from '../../lib/operations/manifest.json' with { type: 'json' }
import type { Setting } from '../../lib/config/mod.ts'
import type { OperationDescription } from '../../lib/operations/mod.ts'

/** What the command line knows of operations without loading them: `bun run manifest` writes it, a test compares it. */
export const described = operationsManifest as unknown as readonly OperationDescription[]

/** The operation of a name that the command line knows it by. */
export function operationNamed(name: string): OperationDescription {
  const found = described.find((operation) => operation.name === name)
  invariant(found !== undefined, `no operation ${name}`)
  return found
}

/** Every setting with a fixed name, kept in the same way. */
export const settings = settingsManifest.settings as unknown as readonly Setting[]
