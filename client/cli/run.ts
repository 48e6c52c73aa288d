import { CommanderError } from 'commander'
import { GwError, isGwError, toGwError } from '../../lib/base/mod.ts'
import { reportError } from './exit.ts'
import type { CliIo } from './io.ts'
import { ownWords } from './other-names.ts'
import { buildProgram, type CommandModule, isShown, meantSetting } from './program.ts'

/**
 * Runs one command line to its end.
 *
 * @returns the exit code: 0 done, 1 failed, 2 not understood, 130 given up, 200 to 204 as the error table says
 */
export async function runCli(
  given: readonly string[],
  io: CliIo,
  { version, modules }: { version: string; modules: readonly CommandModule[] },
): Promise<number> {
  const argv = ownWords(given)
  const json = argv.includes('--json')
  let exit = 0
  try {
    const program = buildProgram(io, version, modules, (code) => exit = code, argv)
    if (argv.length === 0) {
      io.out(program.helpInformation())
      return 0
    }
    await program.parseAsync([...argv], { from: 'user' })
    return exit
  } catch (error) {
    if (isShown(error)) return 0
    if (error instanceof CommanderError) {
      // An area without one of its commands: its page has been shown, and says what there is.
      const unknown = argv[0] === 'help' && argv[1] !== undefined
      if (error.code === 'commander.help' && !json && !unknown) return 2
      const said = error.code !== 'commander.help'
        ? error.message
        : unknown
        ? `unknown command '${argv[1]}'`
        : 'one of its commands is missing'
      const [what, suggested] = said.replace(/^error: /, '').split('\n')
      const meant = meantSetting(error)
      const hint = meant === undefined ? suggested?.replace(/^\((.*)\)$/, '$1') : `Did you mean ${meant}?`
      return reportError(io, new GwError('usage.invalid', what!, hint ? { hint } : {}), json)
    }
    if (io.signal.aborted && toGwError(error).code === 'cancelled') return toGwError(error).exit
    return reportError(io, isGwError(error) ? error : toGwError(error), json)
  }
}
