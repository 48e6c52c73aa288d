import type { OperationDescription } from './describe.ts'
import manifest from './manifest.json' with { type: 'json' }

/**
 * Every operation as {@link describeOperations} describes it, from the data beside this file: surfaces name and route
 * operations without building the schemas of all of them. `bun run manifest` writes it, a test compares it.
 */
export const described = (): readonly OperationDescription[] => manifest as unknown as readonly OperationDescription[]
