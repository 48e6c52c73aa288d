import tab from '@bomb.sh/tab/commander'
import { settings } from './manifest.ts'
import type { AddCommands } from './program.ts'

/** `gw complete <shell>` prints the completion script; the script calls `gw complete -- …` while one types. */
export const completions: AddCommands = (program, { completing, argv, io }) => {
  if (argv.at(-1) === 'bash' && !argv.includes('--')) {
    program.command('complete').argument('[shell]').action(() => io.out(bashScript))
  } // It goes through all commands at once; a run that completes nothing only needs its name.
  else if (completing) {
    const { commands } = tab(program)
    // Flags of the program itself may stand behind any command.
    for (const command of commands.values()) {
      for (const { long, description, hidden, required } of program.options) {
        const name = long?.slice(2)
        if (name === undefined || hidden || command.options.has(name)) continue
        if (required) command.option(name, description, () => {})
        else command.option(name, description)
      }
    }
    for (const name of ['get', 'set', 'unset']) {
      const key = commands.get(`config ${name}`)?.arguments.get('key')
      if (key) key.handler = (complete) => settings.forEach(({ path, description }) => complete(path, description))
    }
  } else program.command('complete').argument('[shell]')
  const command = program.commands.find((one) => one.name() === 'complete')
  command?.description('Print the completion script of a shell: bash, zsh, fish or powershell').alias('completions')
}

/**
 * For bash as it comes, without the package of helpers that other scripts want, and from 3.2 on, which is what macOS has.
 * What stands on the line is handed over as words and never evaluated. Where gw knows nothing, bash offers files.
 */
const bashScript = `# bash completion for gw
_gw_complete() {
  local line="\${COMP_LINE:0:COMP_POINT}" current word about
  local -a words
  read -r -a words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current="\${words[\${#words[@]}-1]}"
  # To readline a word begins behind each = and :
  local before=""
  [[ $current == *[=:]* ]] && before="\${current%"\${current##*[=:]}"}"
  COMPREPLY=()
  while IFS=$'\\t' read -r word about; do
    # The last line is for other shells.
    [[ -n $word && $word != :[0-9]* && $word == "$current"* ]] && COMPREPLY+=("\${word#"$before"}")
  done < <(gw complete -- "\${words[@]:1}" 2>/dev/null)
}
complete -o bashdefault -o default -F _gw_complete gw
`
