import type { Command } from 'commander'
import { nearest } from '../../lib/base/mod.ts'

/** The command that words lead to, and the first of them that leads nowhere. */
export interface Followed {
  readonly command: Command
  readonly unknown: string | undefined
}

const named = (command: Command, word: string): Command | undefined =>
  command.commands.find((one) => one.name() === word || one.aliases().includes(word))

/** Goes from command to command as the words say. */
export function follow(program: Command, words: readonly string[]): Followed {
  let command = program
  for (const word of words) {
    const next = named(command, word)
    if (next === undefined) return { command, unknown: word }
    command = next
  }
  return { command, unknown: undefined }
}

/** How a command is typed: `gw stay-afloat handoffs`. */
const typed = (command: Command): string => command.parent ? `${typed(command.parent)} ${command.name()}` : 'gw'

/**
 * What helps who typed a word that is no command of the one before it: a neighbour, one elsewhere, or the list.
 *
 * @param suggested what else is like it
 */
export function meantInstead({ command, unknown = '' }: Followed, suggested?: string): string {
  const [neighbour] = nearest(unknown, visible(command).map((one) => one.name()), 1)
  if (neighbour !== undefined) return `Did you mean ${neighbour}?`
  if (suggested !== undefined) return suggested
  let root = command
  while (root.parent) root = root.parent
  const elsewhere = all(root).filter((one) => one.name() === unknown || one.aliases().includes(unknown)).map(typed)
  if (elsewhere.length > 0) {
    const [last, ...others] = elsewhere.slice(0, 4).reverse()
    return `Did you mean ${others.length > 0 ? `${others.reverse().join(', ')} or ` : ''}${last}?`
  }
  return `${typed(command)} --help lists the commands`
}

const visible = (command: Command): readonly Command[] => command.createHelp().visibleCommands(command)
const all = (command: Command): readonly Command[] => visible(command).flatMap((one) => [one, ...all(one)])
