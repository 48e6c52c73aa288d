import { printJson } from './output.ts'
import type { AddCommands } from './program.ts'
import { serveGateway } from './serve.ts'
import { findServing } from './session.ts'
import { withRepair } from './afloat/scope.ts'

/**
 * `gw daemon …`, as scripts for oauth-mux call it. There is no daemon beside the gateway, which looks after the accounts
 * itself: to run one is to serve, to start one is to serve in the background, and to stop it is to end what serves.
 */
export const daemon: AddCommands = (program, context) => {
  const { io, options } = context
  const area = program.command('daemon').description('The gateway of this home, in the background')
  for (const name of ['run', 'supervise']) {
    area.command(name, { hidden: true }).description('Start the gateway here; it looks after the accounts')
      .option('--stay-afloat', 'look after the accounts whatever the configuration says')
      .action(({ stayAfloat }: { stayAfloat?: boolean }) => {
        const given = options()
        const flags = stayAfloat ? { ...given.flags, 'stay_afloat.enabled': 'true' } : given.flags
        return serveGateway({ ...context, options: () => ({ ...given, flags }) }, { grace: '0' })
      })
  }
  area.command('start').description('Start the gateway in the background, if none serves this home')
    .action(async () => {
      const { startInBackground } = await import('./background.ts')
      const { gateway, log, started } = await startInBackground(io, options())
      const report = { ok: true, started, status: 'running', pid: gateway.pid, url: gateway.url, log }
      if (options().json) return printJson(io, report)
      const how = started ? 'runs now' : 'runs already'
      io.out(`a gateway ${how} at ${gateway.url} (process ${gateway.pid})${started ? `; its log: ${log}` : ''}\n`)
    })
  area.command('stop').description('End the gateway that serves this home').action(async () => {
    const { stopServing } = await import('./background.ts')
    const gateway = await stopServing(io)
    const report = { ok: true, stopped: gateway !== null, status: 'not_running', pid: gateway?.pid ?? null }
    if (options().json) return printJson(io, report)
    io.out(gateway ? `the gateway at ${gateway.url} has ended\n` : 'no gateway of this home runs\n')
  })
  area.command('status').description(
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
