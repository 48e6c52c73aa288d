import type { Command } from 'commander'
import { GwError } from '../../../lib/base/mod.ts'
import type { Repair } from '../../../lib/repair/mod.ts'
import { givenTo } from '../fields.ts'
import type { CommandContext } from '../program.ts'
import type { Session } from '../session.ts'

const flags: readonly (readonly [flag: string, text: string])[] = [
  ['-p, --profile <name>', 'routes of this profile, in its order'],
  ['--provider <name>', 'only this provider'],
  ['--account <name>', 'only this account of the provider'],
  ['--capability <name>', 'only this capability'],
]

/** Which routes a command is about; a flag that the command has already stays as it is. */
export function addScope(command: Command): Command {
  const taken = new Set(command.options.map(({ long }) => long))
  for (const [flag, text] of flags) if (!taken.has(/--\w+/.exec(flag)?.[0])) command.option(flag, text)
  return command
}

/** What {@link addScope} was given. */
export function scopeOf(command: Command): Record<string, string> {
  const given = givenTo(command) as Record<string, unknown>
  return Object.fromEntries(
    ['profile', 'provider', 'account', 'capability'].flatMap((name) =>
      typeof given[name] === 'string' ? [[name, given[name] as string]] : []
    ),
  )
}

/** Runs on the home of this machine: what needs this terminal, or hands a secret to a program, goes over no network. */
export async function withRepair(
  context: CommandContext,
  work: (repair: Repair, session: Session) => Promise<void>,
  looks = false,
): Promise<void> {
  await context.withSession(async (session) => {
    if (session.remote) {
      throw new GwError('usage.invalid', 'this command works on this machine only, not through --url', {
        hint: 'leave --url out, and GW_URL',
      })
    }
    const home = await session.home(looks)
    await work(home.repair, session)
  })
}
