import { authCommands } from './auth.ts'
import { chat } from './chat.ts'
import { completions } from './completions.ts'
import { conform } from './conform.ts'
import { daemon } from './daemon.ts'
import { doctor } from './doctor.ts'
import { importCommands } from './import.ts'
import { llmCommands } from './llm.ts'
import { mcp } from './mcp.ts'
import { onboarding } from './onboarding/mod.ts'
import type { CommandModule } from './program.ts'
import { serve } from './serve.ts'
import { sim } from './sim.ts'
import { stayAfloat } from './afloat/mod.ts'
import { tokenCommands } from './token.ts'

/** The commands that are more than one call. Completions come last: they look at all the others. */
export const modules: readonly CommandModule[] = [
  { words: ['serve', 'demo'], add: serve },
  { words: ['chat'], add: chat },
  { words: ['doctor'], add: doctor },
  { words: ['daemon'], add: daemon },
  { words: ['sim'], add: sim },
  { words: ['conform'], add: conform },
  { words: ['mcp'], add: mcp },
  {
    words: ['route', 'repair', 'probe', 'stay-afloat', 'doctor', 'status', 'health', 'exec', 'env'],
    add: stayAfloat,
  },
  { words: ['init', 'enroll', 'codex', 'import'], add: onboarding },
  { words: ['import'], add: importCommands },
  { words: ['auth'], add: authCommands },
  { words: ['token', 'auth'], add: tokenCommands },
  { words: ['llm'], add: llmCommands },
  { words: ['complete'], add: completions },
]
