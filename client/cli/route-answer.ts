import { silentLogger, systemClock } from '../../lib/base/mod.ts'
import { loadConfig } from '../../lib/config/look.ts'
import { lookAtRoutes } from '../../lib/look.ts'
import type { CliIo } from './io.ts'
import { printJson } from './output.ts'
import type { RouteQuestion } from './route-question.ts'
import { printRoutes } from './afloat/print-routes.ts'

/**
 * Answers a {@link RouteQuestion} as the whole command line would, without building it or opening the home.
 *
 * @returns the exit code; `null` when nothing was said, because something is in the way that the whole command line
 * has words for
 */
export async function answer({ action, scope, json }: RouteQuestion, io: CliIo): Promise<number | null> {
  const found = await look(action, scope, io).catch(() => null)
  if (found === null) return null
  const { loaded, report } = found
  for (const warning of loaded.warnings) io.err(`gw: ${warning}\n`)
  if (json) printJson(io, report)
  else printRoutes(io, report)
  return action === 'select' && report.selected === null ? 201 : 0
}

async function look(action: RouteQuestion['action'], scope: RouteQuestion['scope'], io: CliIo) {
  const loaded = await loadConfig({ env: io.env, cwd: io.cwd, flags: {} })
  // Who wants to see what happens is shown the whole of it.
  if (loaded.config.log.level === 'debug') return null
  const report = await lookAtRoutes({ clock: systemClock, logger: silentLogger, loaded }, scope, action)
  return report && { loaded, report }
}
