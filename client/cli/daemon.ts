import { GwError } from '../../lib/base/mod.ts'
import { printJson } from './output.ts'
import type { AddCommands } from './program.ts'
import { findServing } from './session.ts'
import { withRepair } from './afloat/scope.ts'

/** What each command of a daemon became: there is none beside the gateway. */
const replaced: Readonly<Record<string, string>> = {
  run: 'gw serve looks after the accounts while it runs; without a gateway: gw stay-afloat --loop --execute',
  supervise: 'gw serve looks after the accounts while it runs; without a gateway: gw stay-afloat --loop --execute',
  start: 'gw serve looks after the accounts while it runs; a service manager may start it',
  stop: 'Ctrl-C or SIGTERM ends gw serve; gw config set stay_afloat.enabled false keeps it from looking after accounts',
}

/**
 * `gw daemon …`, as scripts for oauth-mux call it. The gateway hosts stay-afloat itself, so only the status has an answer
 * of its own; the rest says what does it now.
 */
export const daemon: AddCommands = (program, context) => {
  const area = program.command('daemon', { hidden: true }).description('What the gateway does instead of a daemon')
  for (const [name, hint] of Object.entries(replaced)) {
    area.command(name, { hidden: true }).description(`Say what does the work of daemon ${name} now`)
      .allowUnknownOption().allowExcessArguments().action(() => {
        throw new GwError('usage.invalid', `gw has no daemon to ${name}`, { hint })
      })
  }
  area.command('status', { hidden: true }).description(
    'Say whether a gateway of this home runs and looks after the accounts',
  ).action(
    () =>
      withRepair(context, async (repair, session) => {
        const [serving, { loaded }, tick] = await Promise.all([
          findServing(context.io),
          session.loadConfig(),
          repair.lastTick(),
        ])
        const { enabled, execute } = loaded.config.stay_afloat
        const hosted = serving !== null && enabled
        const report = {
          status: serving ? 'running' : 'not_running',
          contract: 'hosted_by_gateway',
          production_supported: true,
          hosts_stay_afloat: hosted,
          wrapper_contract: 'foreground_tick',
          socket_transport_supported: false,
          stay_afloat_loop: {
            hosted,
            mode: execute ? 'execute' : 'plan',
            contract: 'hosted_by_gateway',
            started_at: serving && hosted ? Math.floor(serving.startedAt / 1000) : null,
          },
          stay_afloat: tick && {
            version: tick.version,
            contract: 'foreground_tick_snapshot',
            last_tick_at: tick.observed_at,
            afloat: tick.afloat,
            message: tick.message,
          },
          pid: serving?.pid ?? null,
          transport: 'http',
          socket: serving?.url ?? null,
        }
        if (context.options().json) return printJson(context.io, report)
        context.io.out(
          serving
            ? `a gateway runs at ${serving.url} and ${hosted ? 'looks' : 'does not look'} after the accounts\n`
            : 'no gateway of this home runs; gw serve starts it\n',
        )
      }, true),
  )
}
