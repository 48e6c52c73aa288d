import { GwError, jsonLogger, once, systemClock } from '../../lib/base/mod.ts'
import type { Gateway } from '../../lib/create-gateway.ts'
import type { CliIo } from './io.ts'
import { bold } from './output.ts'
import type { AddCommands, CommandContext } from './program.ts'

interface ServeFlags {
  readonly demo?: boolean
  readonly printToken?: boolean
  readonly grace: string
}

/** `gw serve` and `gw demo`: the commands that listen. */
export const serve: AddCommands = (program, context) => {
  program.command('serve')
    .description('Start the gateway; it runs until it is told to stop')
    .option('--demo', 'add the built-in demo upstream, so that everything can be tried offline')
    .option('--print-token', 'print the owner token when this start makes it, also where no terminal is')
    .option('--grace <seconds>', 'after a stop signal, still answer for this long while saying "not ready"', '0')
    .action((flags: ServeFlags) => serveGateway(context, flags))
  program.command('demo')
    .description('Serve the built-in demo upstream alone: a stand-in for a model server, without key or network')
    .action(() => serveDemo(context))
}

/** Serves this home until a signal ends it. */
export async function serveGateway({ io, options, withSession }: CommandContext, flags: ServeFlags): Promise<void> {
  const given = options()
  if (given.url !== undefined) throw new GwError('usage.invalid', 'serve starts a gateway here; leave --url out')
  const { loaded } = await withSession((session) => session.loadConfig())
  const [{ createGateway }, { startServer, serveUntilSignal }, { announce }, { clockFault }] = await Promise.all([
    import('../../lib/create-gateway.ts'),
    import('../../server/main.ts'),
    import('../../lib/presence.ts'),
    import('../../lib/clock-check.ts'),
  ])
  const fault = clockFault(systemClock.now())
  if (fault) throw fault
  const logger = jsonLogger((line) => io.err(`${line}\n`), { level: loaded.config.log.level })
  const gateway = await createGateway({
    env: io.env,
    cwd: io.cwd,
    settings: given.flags,
    ...(given.config === undefined ? {} : { configFile: given.config }),
    demo: flags.demo === true,
    readInput: io.interactive ? undefined : io.readInput,
    watch: true,
    logger,
  })
  const { rooms } = gateway
  // The protocol's library is big, and many a gateway never sees an agent.
  let closeMcp = () => {}
  const openMcp = once(async () => {
    const [{ createMcpHttp }, { operationContext }] = await Promise.all([
      import('../../mcp/mod.ts'),
      import('../../lib/operation-context.ts'),
    ])
    const mcp = createMcpHttp({
      clock: rooms.clock,
      contextOf: (principal, signal) => operationContext(rooms, rooms.system, { principal, surface: 'mcp', signal }),
    })
    closeMcp = mcp.close
    return mcp
  })
  let withdraw: (() => Promise<void>) | null = null
  let end = (): Promise<void> => gateway.close()
  try {
    const running = await startServer(gateway, {
      mcp: async (request, principal) => (await openMcp()).handle(request, principal),
    })
    end = () => running.stop({ drainMs: 0 })
    withdraw = await announce(rooms.paths, running.url, rooms.clock)
    const owner = io.terminal || flags.printToken ? await rooms.access.createOwnerToken() : null
    await greet(io, gateway, { url: running.url, token: owner?.token.reveal() ?? null, demo: flags.demo === true })
    const graceMs = Number(flags.grace) * 1_000
    await serveUntilSignal(gateway, running, Number.isFinite(graceMs) && graceMs >= 0 ? graceMs : 0, io.signal)
  } catch (error) {
    await end()
    throw error
  } finally {
    closeMcp()
    await withdraw?.()
  }
}

/** What somebody who just started gw needs: where it is, with what, and a request that works. */
async function greet(
  io: CliIo,
  gateway: Gateway,
  at: { url: string; token: string | null; demo: boolean },
): Promise<void> {
  const { config, accounts } = gateway.rooms
  const { path, exists } = config.current()
  const self = commandName(io.env, gateway.rooms.system.runtime.version)
  io.out(`${bold(io, 'gw')} listens on ${at.url}\n\n`)
  io.out(`config    ${path}${exists ? '' : ' (none yet: all settings are the defaults)'}\n`)
  io.out(`data      ${gateway.rooms.paths.data}\n`)
  const names = accounts.list().filter((account) => account.enabled).map((account) => account.id)
  io.out(
    `accounts  ${
      names.length === 0 ? `none yet: ${self} accounts add openai --from env:OPENAI_API_KEY` : names.join(', ')
    }\n`,
  )
  for (const line of await settingsInUse(gateway)) io.out(`${line}\n`)
  if (at.token !== null) io.out(`\nowner token, shown this once:\n\n  ${bold(io, at.token)}\n`)
  else {io.out(
      `\na token of your own, as the owner's is shown only once:\n\n  export GW_TOKEN=$(${self} tokens issue --label me)\n`,
    )}
  const model = at.demo ? 'demo-small' : await (await import('./first-model.ts')).firstModel(gateway)
  if (model === null && names.length > 0) io.out(`\nwhat can be asked for:\n\n  ${self} models list --available\n`)
  io.out(`\ntry it:\n\n  curl ${at.url}/v1/chat/completions \\
    -H "Authorization: Bearer ${at.token ?? '$GW_TOKEN'}" -H "Content-Type: application/json" \\
    -d '{"model":"${model ?? 'PROVIDER/MODEL'}","messages":[{"role":"user","content":"hello"}]}'\n\n`)
}

/** The settings that are not defaults, each with where it comes from; long values cut. */
async function settingsInUse(gateway: Gateway): Promise<readonly string[]> {
  const { redactConfig } = await import('../../lib/config/mod.ts')
  const { config, origins } = gateway.rooms.config.current()
  return [...origins].filter(([key]) => key !== 'accounts.demo').map(([key, { from }]) => {
    let value: unknown = config
    for (const step of key.split('.')) value = (value as Record<string, unknown> | undefined)?.[step]
    const shown = JSON.stringify(redactConfig(value, key.split('.').pop()!)) ?? ''
    return `          ${key} = ${shown.length > 60 ? `${shown.slice(0, 59)}…` : shown}  (${from})`
  })
}

/** How the person at this terminal starts gw: a fresh clone has no `gw` on the path, and perhaps no Bun either. */
function commandName(env: CliIo['env'], bun: string): string {
  if (env.npm_lifecycle_event !== 'start' || env.npm_package_name !== 'gw') return 'gw'
  // npm names itself here when it brought Bun along for the one run.
  const borrowed = env.npm_config_user_agent?.startsWith('npm/') === true
  return `${borrowed ? `npx -y bun@${bun}` : 'bun'} run --silent gw`
}

async function serveDemo({ io, options, withSession }: CommandContext): Promise<void> {
  const { loaded } = await withSession((session) => session.loadConfig())
  const [{ demoUpstream }, { detectPlatform }, { explainListen }] = await Promise.all([
    import('../../lib/demo/mod.ts'),
    import('../../lib/platform/mod.ts'),
    import('../../lib/presence.ts'),
  ])
  const { host, port } = loaded.config.server
  const asked = options().flags['server.port'] !== undefined
  const demo = demoUpstream({ clock: systemClock })
  const platform = await detectPlatform()
  const listen = async () =>
    await platform.serve({
      host,
      port: asked ? port : 0,
      maxBodyBytes: loaded.config.limits.body_bytes,
      fetch: (request) => demo.fetch(request),
    })
  const server = await listen().catch(async (error) => {
    throw await explainListen(error, host, port)
  })
  io.out(`the demo upstream listens on http://${host}:${server.port}/v1\n`)
  await new Promise<void>((resolve) => io.signal.addEventListener('abort', () => resolve(), { once: true }))
  await server.stop(true)
}
