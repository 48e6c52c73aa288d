import type { AddCommands } from '../program.ts'
import { addCandidate } from './candidate.ts'
import { addCodex } from './codex.ts'
import { addEnroll } from './enroll.ts'
import { addImport } from './import-oauth-mux.ts'
import { addInit } from './init.ts'

/** `gw init`, `gw enroll …`, `gw codex …` and `gw import oauth-mux`: how accounts get here. */
export const onboarding: AddCommands = (program, context) => {
  addInit(program, context)
  addEnroll(program, context)
  addCodex(program, context)
  addCandidate(program, context)
  addImport(program, context)
}
