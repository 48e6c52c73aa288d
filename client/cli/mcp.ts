import { GwError } from '../../lib/base/mod.ts'
import type { PrincipalId } from '../../lib/base/mod.ts'
import { type AddCommands, afterHelp, refuseNeighbour } from './program.ts'

/** `gw mcp`: gw's own MCP server on standard input and output. */
export const mcp: AddCommands = (program, { io, withSession, version }) => {
  // The area of foreign tool servers has that name too: alone, the word serves; with another behind it, it asks.
  const command = program.commands.find((one) => one.name() === 'mcp') ?? program.command('mcp')
  afterHelp(command, [
    'With GW_TOKEN (or --token) the agent may do what that token may. Without, it acts for the owner of this home, and ' +
    'what [operations] marks waits for: gw approvals approve ID',
  ])
    .description('Serve gw to an agent on standard input and output; with a subcommand: foreign tool servers')
    .allowExcessArguments()
    .action(() => {
      refuseNeighbour(command, command.args)
      return withSession(async (session) => {
        if (session.remote) {
          throw new GwError('usage.invalid', 'a running gateway serves MCP itself: point the agent at its /mcp')
        }
        const [home, { operationContext }, { serveStdio }, { operator }] = await Promise.all([
          session.home(),
          import('../../lib/operation-context.ts'),
          import('../../mcp/mod.ts'),
          import('../../lib/access/mod.ts'),
        ])
        home.start()
        // Asked for each call: a session outlives its token, which another process may revoke.
        const caller = async () => {
          await home.news()
          return session.token
            ? await home.access.authenticate(new Headers({ authorization: `Bearer ${session.token.reveal()}` }))
            // Not the operator's own id: nobody approves what they asked for themselves.
            : { ...operator, id: 'agent' as PrincipalId, label: 'agent on standard input' }
        }
        const facts = {
          version,
          url: null,
          startedAt: home.clock.now(),
          notReady: () => 'this is an MCP server on standard input',
          inFlight: () => 0,
        }
        await serveStdio(
          await caller(),
          async (_, signal) => operationContext(home, facts, { principal: await caller(), surface: 'mcp', signal }),
          io.signal,
        )
      })
    })
}
