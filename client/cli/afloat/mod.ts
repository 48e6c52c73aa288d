import type { AddCommands } from '../program.ts'
import { addExec } from './exec.ts'
import { addRouteExplain } from './explain.ts'
import { addJudged } from './judged.ts'
import { addRepairRun } from './repair-run.ts'
import { addHealth, addStatus } from './status.ts'
import { addTicks } from './ticks.ts'

/** `gw route`, `repair`, `probe`, `stay-afloat`, `doctor`, `status`, `health`, `exec` and `env`. */
export const stayAfloat: AddCommands = (program, context) => {
  addJudged(program, context)
  addRouteExplain(program, context)
  addStatus(program, context)
  addHealth(program, context)
  addRepairRun(program, context)
  addTicks(program, context)
  addExec(program, context)
}
