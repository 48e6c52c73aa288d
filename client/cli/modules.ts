import { authCommands } from './auth.ts'
import { chat } from './chat.ts'
import { completions } from './completions.ts'
import { conform } from './conform.ts'
import { daemon } from './daemon.ts'
import { doctor } from './doctor.ts'
import { importCommands } from './import.ts'
import { llmCommands } from './llm.ts'
import { mcp } from './mcp.ts'
import { onboarding } from './onboarding.ts'
import type { CommandModule } from './program.ts'
import { serve } from './serve.ts'
import { sim } from './sim.ts'
import { stayAfloat } from './stay-afloat.ts'
import { tokenCommands } from './token.ts'

/** The commands that are more than one call. Completions come last: they look at all the others. */
export const modules: readonly CommandModule[] = [
  serve,
  chat,
  doctor,
  daemon,
  sim,
  conform,
  mcp,
  stayAfloat,
  onboarding,
  importCommands,
  authCommands,
  tokenCommands,
  llmCommands,
  completions,
]
