import tab from '@bomb.sh/tab/commander'
import type { CommandModule } from './program.ts'

/** `gw complete <shell>` prints the completion script; the script calls `gw complete -- …` while one types. */
export const completions: CommandModule = (program) => {
  tab(program)
  const command = program.commands.find((one) => one.name() === 'complete')
  command?.description('Print the completion script of a shell: bash, zsh, fish or powershell').alias('completions')
}
