import { CommanderError } from 'commander'
import { GwError, isGwError, toGwError } from '../../lib/base/mod.ts'
import { reportError } from './exit.ts'
import type { CliIo } from './io.ts'
import { follow, type Followed, meantInstead } from './meant.ts'
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
    if (argv[0] === 'help') {
      showHelp(argv.slice(1))
      return 0
    }
    if (argv.includes('--help') || argv.includes('-h')) refuseNobody(argv)
    await program.parseAsync([...argv], { from: 'user' })
    return exit
  } catch (error) {
    if (isShown(error)) return 0
    if (error instanceof CommanderError) {
      // An area without one of its commands: its page has been shown, and says what there is.
      if (error.code === 'commander.help' && !json) return 2
      const said = error.code === 'commander.help' ? 'one of its commands is missing' : error.message
      const [what, suggested] = said.replace(/^error: /, '').split('\n')
      return reportError(io, new GwError('usage.invalid', what!, hintFor(error, suggested)), json)
    }
    if (io.signal.aborted && toGwError(error).code === 'cancelled') return toGwError(error).exit
    return reportError(io, isGwError(error) ? error : toGwError(error), json)
  }
  /** Everything there is, for who asks about it or looks for something. */
  function whole() {
    return buildProgram(io, version, modules, () => {}, ['complete'])
  }

  /** `gw help …` of a command with as many words as it has. */
  function showHelp(words: readonly string[]): void {
    const followed = follow(whole(), words.filter((word) => !word.startsWith('-')))
    if (followed.unknown !== undefined) throw unknownCommand(followed)
    followed.command.outputHelp()
  }

  /** Help of a command that is not there would be the page of the one above it. */
  function refuseNobody(words: readonly string[]): void {
    const flag = words.findIndex((word) => word.startsWith('-'))
    const followed = follow(whole(), words.slice(0, flag))
    const { command, unknown } = followed
    if (unknown !== undefined && command.commands.length > 0 && command.registeredArguments.length === 0) {
      throw unknownCommand(followed)
    }
  }

  function unknownCommand(followed: Followed): GwError {
    return new GwError('usage.invalid', `unknown command '${followed.unknown}'`, { hint: meantInstead(followed) })
  }

  function hintFor(error: CommanderError, suggested: string | undefined): { hint?: string } {
    const meant = meantSetting(error)
    if (meant !== undefined) return { hint: `Did you mean ${meant}?` }
    const near = suggested?.replace(/^\((.*)\)$/, '$1')
    const word = /^error: unknown command '(.*)'/.exec(error.message)?.[1]
    if (word === undefined) return near ? { hint: near } : {}
    const before = argv.slice(0, argv.indexOf(word)).filter((one) => !one.startsWith('-'))
    const { command } = follow(whole(), before)
    return { hint: meantInstead({ command, unknown: word }, near) }
  }
}
