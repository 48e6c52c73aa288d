import type { Setting } from '../../lib/config/mod.ts'
import type { OperationDescription } from '../../lib/operations/mod.ts'
import manifest from './manifest.json' with { type: 'json' }

/** What the command line knows of operations without loading them: `bun run manifest` writes it, a test compares it. */
export const described = manifest.operations as unknown as readonly OperationDescription[]

/** Every setting with a fixed name, from the same file. */
export const settings = manifest.settings as unknown as readonly Setting[]
