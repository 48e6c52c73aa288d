import tab from '@bomb.sh/tab/commander'
import type { AddCommands } from './program.ts'

/** `gw complete <shell>` prints the completion script; the script calls `gw complete -- …` while one types. */
export const completions: AddCommands = (program, { completing }) => {
  // It goes through all commands at once; a run that completes nothing only needs its name.
  if (completing) tab(program)
  else program.command('complete').argument('[shell]')
  const command = program.commands.find((one) => one.name() === 'complete')
  command?.description('Print the completion script of a shell: bash, zsh, fish or powershell').alias('completions')
}
