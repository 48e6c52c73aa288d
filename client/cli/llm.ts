import type { Command } from 'commander'
import { GwError, type Json } from '../../lib/base/mod.ts'
import type { Fetch } from '../../lib/credentials/mod.ts'
import type { LlmBridge, LlmChange, LlmSettings, ShowLogin } from '../../lib/llm-bridge/mod.ts'
import { openBrowser } from './browser.ts'
import { printJson } from './output.ts'
import { printable } from './words.ts'
import type { AddCommands, CommandContext } from './program.ts'
import { onRecord } from './recorded.ts'
import type { Home } from '../../lib/open-home.ts'

interface ConfigFlags {
  readonly gatewayUrl?: string
  readonly issuer?: string
  readonly clientId?: string
  readonly audience?: string
  readonly scopes?: string
  readonly proxyPort?: string
  readonly callbackPort?: string
  readonly tlsSkipVerify?: string | boolean
  readonly bedrockCompat?: string | boolean
  readonly enable1m?: string | boolean
  readonly models?: string
}

/** `gw llm`: tools in front of one gateway behind OIDC. */
export const llmCommands: AddCommands = (program, context) => {
  const llm = program.command('llm').description('Tools in front of a gateway behind OIDC').exitOverride()
  configCommands(llm, context)
  llm.command('token').description('Print a fresh token of the gateway')
    .option('--skip-browser', 'print the address instead of opening it')
    .exitOverride()
    .action((flags: { skipBrowser?: boolean }) =>
      withBridge(context, async (bridge) => {
        const show = showLogin(context, flags.skipBrowser === true)
        const token = await bridge.token({ ...(show ? { show } : {}) })
        printValue(context, token.reveal())
      })
    )
  proxyCommands(llm, context)
}

function configCommands(llm: Command, context: CommandContext): void {
  const config = llm.command('config').description('The connection to the gateway').exitOverride()
  config.command('set').description('Set what is given; empty and 0 leave a value alone')
    .option('--gateway-url <url>', 'https URL of the gateway')
    .option('--issuer <url>', 'OIDC issuer')
    .option('--client-id <id>', 'OIDC client id')
    .option('--audience <audience>', 'audience to ask for')
    .option('--scopes <list>', 'scopes to ask for, separated by commas')
    .option('--proxy-port <port>', 'port of the loopback proxy')
    .option('--callback-port <port>', "port of the login's redirect")
    .option('--tls-skip-verify [bool]', 'take any certificate of the gateway; logins are still checked')
    .option('--bedrock-compat [bool]', 'pin models by their Bedrock names')
    .option('--enable-1m [bool]', 'mark models that take a million tokens')
    .option('--models <list>', 'model ids, separated by commas; empty clears')
    .exitOverride()
    .action((flags: ConfigFlags) =>
      withBridge(context, async (bridge, home) => {
        const change = changeOf(flags)
        await onRecord(
          home,
          { operation: 'llm.set', input: { ...change } as Record<string, Json | undefined> },
          async () => {
            await bridge.set(change)
          },
        )
        done(context, 'saved')
      })
    )
  config.command('show').description('Show the connection').option('--format <format>', 'text or json', 'text')
    .exitOverride()
    .action(({ format }: { format: string }) =>
      withBridge(context, async (bridge) => {
        const settings = await bridge.settings()
        if (format === 'json' || context.options().json) {
          return printJson(context.io, settings)
        }
        if (format !== 'text') throw new GwError('usage.invalid', `--format is text or json, not ${format}`)
        context.io.out(await shown(bridge, settings))
      })
    )
  config.command('reset').description('Forget the connection and its tokens').exitOverride()
    .action(() =>
      withBridge(context, async (bridge, home) => {
        const { purged } = await onRecord(home, { operation: 'llm.reset', input: {} }, () => bridge.reset())
        done(context, purged ? 'reset' : 'reset; the cached tokens could not be removed', { purged })
      })
    )
}

function proxyCommands(llm: Command, context: CommandContext): void {
  const proxy = llm.command('proxy').description('A loopback proxy for tools that only take a URL and a key')
    .exitOverride()
  proxy.command('start').description('Run it in the foreground')
    .option('--skip-browser', 'print the address instead of opening it')
    .option('--tls-skip-verify', 'take any certificate of the gateway, this time')
    .exitOverride()
    .action((flags: { skipBrowser?: boolean; tlsSkipVerify?: boolean }) =>
      withBridge(context, async (bridge, home) => {
        const { startLlmProxy } = await import('../../lib/llm-bridge/mod.ts')
        const skip = flags.tlsSkipVerify === true || (await bridge.settings()).tls_skip_verify
        if (skip) context.io.err(`gw: the certificate of the gateway is not checked: ${skipWarning}\n`)
        const out = await wayOut(home, skip)
        const show = showLogin(context, flags.skipBrowser === true)
        const running = await startLlmProxy({
          platform: home.platform,
          logger: home.logger,
          fetch: out.fetch,
          bridge,
          ...(show ? { show } : {}),
        })
        context.io.err(`LLM proxy listening on ${running.url}\nkey for tools: gw llm proxy key\n`)
        const interrupted = new Promise<void>((resolve) => {
          context.io.signal.addEventListener('abort', () => resolve(), { once: true })
        })
        await Promise.race([running.stopped, interrupted])
        await running.stop()
        out.close()
      })
    )
  proxy.command('key').description('Print the key that tools give the proxy').exitOverride()
    .action(() => withBridge(context, async (bridge) => printValue(context, (await bridge.proxyKey()).reveal())))
  proxy.command('status').description('Say whether it runs').exitOverride()
    .action(() =>
      withBridge(context, async (bridge) => {
        const found = await ask(bridge, 'GET')
        if (context.options().json) printJson(context.io, { running: found !== null, ...found })
        else {context.io.out(
            found ? `running on http://127.0.0.1:${found.port}/v1 (process ${found.pid})\n` : 'not running\n',
          )}
        if (!found) context.exitWith(1)
      })
    )
  proxy.command('stop').description('Stop it').exitOverride()
    .action(() =>
      withBridge(context, async (bridge) => {
        const found = await ask(bridge, 'DELETE')
        done(context, found ? 'stopped' : 'it was not running', { stopped: found !== null })
      })
    )
}

/** The one value that a program wants of a command: alone on standard output. */
function printValue({ io, options }: CommandContext, value: string): void {
  if (options().json) printJson(io, { value })
  else io.out(`${value}\n`)
}

/** Says to people what was done, and to programs what came of it. */
function done({ io, options }: CommandContext, text: string, result: Record<string, boolean> = {}): void {
  if (options().json) printJson(io, { ok: true, ...result })
  else io.err(`${text}\n`)
}

const skipWarning = 'whoever is on the way can read and change everything'
/** Models may take long and say much. */
const answerMs = 3_600_000

/** The connection to the gateway: under the same rules as all others, but for answers that stream for long. */
async function wayOut(home: Home, skipVerify: boolean): Promise<{ fetch: Fetch; close(): void }> {
  const { createEgress, egressPolicy, proxiesOf } = await import('../../lib/egress/mod.ts')
  const egress = createEgress({
    policy: egressPolicy(home.config.current().config.egress),
    dialer: home.platform.openDialer({ verify: !skipVerify }),
    proxyFor: proxiesOf(home.config.current().config.egress, home.env),
    clock: home.clock,
    log: home.logger,
  })
  return {
    fetch: (input, init) => egress.fetch(input, { ...init, timeoutMs: answerMs, maxBytes: Infinity }),
    close: () => egress.close(),
  }
}

async function ask(bridge: LlmBridge, method: 'GET' | 'DELETE'): Promise<{ pid: number; port: number } | null> {
  const { controlPath } = await import('../../lib/llm-bridge/mod.ts')
  const port = bridge.proxyPort(await bridge.settings())
  try {
    const response = await fetch(`http://127.0.0.1:${port}${controlPath}`, {
      method,
      headers: { authorization: `Bearer ${(await bridge.proxyKey()).reveal()}` },
      signal: AbortSignal.timeout(3_000),
    })
    return response.ok ? { pid: Number((await response.json() as { pid: unknown }).pid), port } : null
  } catch {
    return null
  }
}

async function withBridge(
  context: CommandContext,
  work: (bridge: LlmBridge, home: Home) => Promise<unknown>,
): Promise<void> {
  await context.withSession(async (session) => {
    const [home, { createLlmBridge }] = [await session.home(), await import('../../lib/llm-bridge/mod.ts')]
    const bridge = createLlmBridge({
      platform: home.platform,
      clock: home.clock,
      fetch: home.fetch,
      logger: home.logger,
      env: home.env,
      storage: home.storage,
      secrets: home.secrets,
      folder: home.paths.auth,
    })
    try {
      await work(bridge, home)
    } finally {
      await bridge.close()
    }
  })
}

/** Nobody is there to log in behind a helper that a tool runs in the background. */
function showLogin({ io }: CommandContext, skipBrowser: boolean): ShowLogin | null {
  if (!io.interactive) return null
  return async ({ url }) => {
    io.err(`Log in here:\n\n  ${printable(url)}\n\nWaiting for you …\n`)
    if (!skipBrowser) await openBrowser(url)
  }
}

function changeOf(flags: ConfigFlags): LlmChange {
  const port = (text: string | undefined) => text === undefined ? undefined : Number(text)
  const list = (text: string | undefined) => text?.split(',').map((item) => item.trim()).filter(Boolean)
  const flag = (value: string | boolean | undefined) =>
    value === undefined ? undefined : value === true || value === 'true'
  return {
    gatewayUrl: flags.gatewayUrl,
    issuer: flags.issuer,
    clientId: flags.clientId,
    audience: flags.audience,
    scopes: list(flags.scopes),
    proxyPort: port(flags.proxyPort),
    callbackPort: port(flags.callbackPort),
    tlsSkipVerify: flag(flags.tlsSkipVerify),
    bedrockCompat: flag(flags.bedrockCompat),
    enable1m: flag(flags.enable1m),
    models: list(flags.models),
  }
}

async function shown(bridge: LlmBridge, settings: LlmSettings): Promise<string> {
  const { effectiveScopes, isConfigured } = await import('../../lib/llm-bridge/mod.ts')
  if (!isConfigured(settings)) {
    return 'No LLM gateway is configured: gw llm config set --gateway-url … --issuer … --client-id …\n'
  }
  const { oidc, bedrock, models } = settings
  const rows: (readonly [string, string])[] = [
    ['Gateway URL', settings.gateway_url],
    ['OIDC Issuer', oidc.issuer],
    ['OIDC Client', oidc.client_id],
    ...(oidc.audience ? [['Audience', oidc.audience] as const] : []),
    ['Proxy Port', String(bridge.proxyPort(settings))],
    ['Scopes', effectiveScopes(settings).join(' ')],
    ...(settings.tls_skip_verify ? [['TLS Skip Verify', `true (${skipWarning})`] as const] : []),
    ...(models.length > 0 ? [['Models', models.join(', ')] as const] : []),
    ['Bedrock compat', String(bedrock.compat)],
    ['1M context', String(bedrock.enable_1m)],
  ]
  return rows.map(([name, value]) => `${name}: ${value}\n`).join('')
}
