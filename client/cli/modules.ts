import { completions } from './completions.ts'
import type { CommandModule } from './program.ts'

/** The commands that are more than one call. */
export const modules: readonly CommandModule[] = [completions]
