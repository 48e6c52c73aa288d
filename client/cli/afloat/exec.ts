import type { Command } from 'commander'
import type { Consent, Repair, Shell, Used } from '../../../lib/repair/mod.ts'
import { givenTo } from '../fields.ts'
import { commandAt, type CommandContext } from '../program.ts'
import type { Session } from '../session.ts'
import { addScope, scopeOf, withRepair } from './scope.ts'

/** `gw exec`, `stay-afloat launch` and `env`: a program gets the credential of a route. */
export function addExec(program: Command, context: CommandContext): void {
  const exec = addUse(commandAt(program, 'exec')).description('Run a program with the right credential')
    .argument('<program...>', 'the program and its arguments, after --')
  exec.action(() =>
    withRepair(context, (repair, session) => launch(context, { repair, session, command: exec, retry: false }))
  )

  const again = addUse(commandAt(program, 'stay-afloat launch'))
    .description('Run a program with the right credential; where it cannot be started, try the next route')
    .argument('<program...>', 'the program and its arguments, after --')
  again.action(() =>
    withRepair(context, (repair, session) => launch(context, { repair, session, command: again, retry: true }))
  )

  const env = addUse(commandAt(program, 'env')).description('Print assignments of the right credential for a shell')
    .option('--shell <name>', 'fish, zsh, bash or ksh; otherwise the one in use')
  env.action(() =>
    withRepair(context, async (repair, session) => {
      const { detectShell, quoteAssignment, shells } = await import('../../../lib/repair/mod.ts')
      const used = await use(repair, session, env, { command: undefined, mayWriteFile: false, exclude: new Set() })
      const asked = givenTo(env).shell as string | undefined ?? repair.inventory().defaults.shell
      const shell: Shell = shells.find((name) => name === asked) ?? detectShell(context.io.env)
      for (const [name, value] of Object.entries(used.injection.variables)) {
        context.io.out(`${quoteAssignment(shell, name, value)}\n`)
      }
    })
  )
}

interface Launch {
  readonly repair: Repair
  readonly session: Session
  readonly command: Command
  readonly retry: boolean
}

async function launch(context: CommandContext, { repair, session, command, retry }: Launch): Promise<void> {
  const { execWith } = await import('../../../lib/repair/mod.ts')
  const argv = command.args
  const exclude = new Set<string>()
  let failed: unknown = null
  for (;;) {
    const used = await use(repair, session, command, { command: argv, mayWriteFile: true, exclude }).catch((error) => {
      // Where every route was tried, it was not for want of routes.
      throw failed ?? error
    })
    try {
      const status = await execWith({ argv, base: context.io.env, injection: used.injection, cwd: context.io.cwd })
      if (status !== 0) context.exitWith(status)
      return
    } catch (error) {
      if (!retry) throw error
      failed = error
      exclude.add(used.selected.health_key)
      context.io.err(`gw: ${used.selected.health_key}: could not be started; trying the next route\n`)
    }
  }
}

async function use(
  repair: Repair,
  session: Session,
  command: Command,
  more: { command: readonly string[] | undefined; mayWriteFile: boolean; exclude: ReadonlySet<string> },
): Promise<Used> {
  const given = givenTo(command) as Record<string, unknown>
  const { noConsent, probeConsent } = await import('../../../lib/repair/mod.ts')
  const consent: Consent = given.confirmSpend === true ? probeConsent(true) : noConsent
  const home = await session.home()
  return await repair.use({
    ...scopeOf(command),
    ...(typeof given.strategy === 'string' ? { strategy: given.strategy } : {}),
    consent,
    folder: home.paths.runtime,
    ...more,
  })
}

function addUse(command: Command): Command {
  addScope(command)
  return command.option('--strategy <name>', 'how many further routes are tried')
    .option('--confirm-spend', 'allow a probe that uses paid quota')
    .passThroughOptions(false)
}
