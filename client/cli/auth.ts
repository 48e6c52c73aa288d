import type { Command } from 'commander'
import { GwError, isObject } from '../../lib/base/mod.ts'
import { knownProvider } from './adding.ts'
import { openBrowser } from './browser.ts'
import { printFields, printJson } from './output.ts'
import { printable } from './words.ts'
import type { AddCommands, CommandContext } from './program.ts'
import type { Session } from './session.ts'

interface LoginFlags {
  readonly binding?: string
  readonly authFile?: string
  readonly device?: boolean
  readonly paste?: boolean
  readonly browser: boolean
  readonly scope?: string[]
  readonly workspace?: string
  readonly loginHint?: string
  readonly replace?: boolean
  readonly wait?: string
}

interface Begun {
  readonly session: string
  readonly url: string
  readonly userCode: string | null
  readonly intervalMs: number
  readonly expiresAt: number
}

interface State {
  readonly state: 'pending' | 'done' | 'failed'
  readonly intervalMs: number
  readonly login: Record<string, unknown> | null
  readonly account: string | null
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null
}

const mutation = (name: string) => ({ name, kind: 'mutation' as const })

/** `gw auth login` and the names that other tools give it. */
export const authCommands: AddCommands = (program, context) => {
  const auth = program.commands.find((command) => command.name() === 'auth') ?? program.command('auth')
  withFlags(
    auth.command('login [vendor] [server]')
      .description(
        'Log in with a vendor, or with a tool server (mcp NAME): in a browser, by device code, or by pasting',
      ),
  )
    .addHelpText('after', '\nExamples: gw auth login chatgpt --device\n          gw auth login mcp linear')
    .action((vendor: string | undefined, server: string | undefined, flags: LoginFlags) =>
      login(context, vendor ?? 'chatgpt', flags, server)
    )
  for (
    const [name, vendor, fixed] of [
      ['anthropic-login', 'claude', {}],
      ['login-openai-codex', 'chatgpt', {}],
      ['login-github-copilot', 'copilot', { device: true }],
    ] as const
  ) {
    withFlags(auth.command(name, { hidden: true }).description(`Log in with ${vendor}`))
      .action((flags: LoginFlags) => login(context, vendor, { ...flags, ...fixed }))
  }
  // The name that token-plumber gives it.
  auth.command('anthropic-logout', { hidden: true }).description('Log out of claude')
    .option('--binding <name>', 'name of one of several logins')
    .option('--auth-file <path>', 'a login file of your own')
    .exitOverride()
    .action((flags: LoginFlags) =>
      context.withSession(async (session) => {
        const done = await session.call(mutation('auth.logout'), {
          vendor: 'claude',
          ...(flags.binding ? { binding: flags.binding } : {}),
          ...(flags.authFile ? { auth_file: flags.authFile } : {}),
        }) as { removed: boolean; revoked: boolean }
        if (context.options().json) return printJson(context.io, done)
        printFields(context.io, done)
      })
    )
  storeCommands(auth, context)
}

interface KeepFlags {
  readonly id?: string
  readonly binding?: string
  readonly expires?: string
}

/** What is kept of what somebody already has. A secret is read from standard input or typed, never an argument. */
function storeCommands(auth: Command, context: CommandContext): void {
  const { io } = context
  auth.command('add-api-key <provider>').description('Keep an API key, read from standard input or typed')
    .option('--id <name>', 'name of the account; the provider id if absent')
    .addHelpText('after', '\nExample: printf %s "$KEY" | gw auth add-api-key openai')
    .exitOverride()
    .action((provider: string, flags: KeepFlags) => addKey(context, provider, flags))
  auth.command('configure [provider]').description('Keep an API key, asked for step by step')
    .option('--id <name>', 'name of the account; the provider id if absent')
    .exitOverride()
    .action(async (given: string | undefined, flags: KeepFlags) => {
      const provider = given ?? (io.interactive ? (await io.askLine('Which provider? '))?.trim() : undefined)
      if (!provider) {
        throw new GwError('usage.invalid', 'nobody is there to be asked which provider', {
          hint: 'gw providers list; then printf %s "$KEY" | gw auth add-api-key PROVIDER',
        })
      }
      await addKey(context, provider, flags)
    })
  auth.command('add-oauth <vendor>')
    .description('Keep tokens that you already have: JSON, or the access and the refresh token on two lines')
    .option('--binding <name>', 'name of one of several logins with the same vendor')
    .option('--expires <time>', 'when the access token ends: RFC 3339, or epoch seconds or milliseconds')
    .addHelpText('after', '\nExample: gw auth add-oauth qwen < ~/.qwen/oauth_creds.json')
    .exitOverride()
    .action((vendor: string, flags: KeepFlags) =>
      context.withSession(async (session) => {
        const { access, refresh, expiresAt } = await readTokens(await io.readInput(), flags.expires)
        const kept = await session.call(mutation('auth.addToken'), {
          vendor,
          token: access,
          ...(flags.binding ? { binding: flags.binding } : {}),
          ...(refresh ? { refresh } : {}),
          ...(expiresAt ? { expires_at: Math.floor(expiresAt / 1_000) } : {}),
        }) as { account: string | null; login: Record<string, unknown> }
        if (context.options().json) return printJson(io, kept)
        printFields(io, { vendor, where: String(kept.login.where ?? ''), account: kept.account ?? 'none' })
      })
    )
}

function addKey(context: CommandContext, provider: string, { id }: KeepFlags): Promise<void> {
  const { io } = context
  return context.withSession(async (session) => {
    await knownProvider(session, provider)
    const secret = (io.interactive ? await io.askSecret(`API key of ${provider}?`) : await io.readInput()).trim()
    if (secret === '') {
      throw new GwError('usage.invalid', 'no key on standard input', {
        hint: `printf %s "$KEY" | gw auth add-api-key ${provider}`,
      })
    }
    const added = await session.call(mutation('accounts.add'), { provider, secret, ...(id ? { id } : {}) })
    if (context.options().json) return printJson(io, added)
    printFields(io, { account: isObject(added) ? String(added.id) : '', provider })
  })
}

/** A credentials file of any known shape, or one token a line. */
async function readTokens(text: string, expires: string | undefined) {
  const { readPayload, readTime } = await import('../../lib/credentials/mod.ts')
  const given = expires === undefined ? null : readTime(/^\d+$/.test(expires) ? Number(expires) : expires)
  if (expires !== undefined && given === null) {
    throw new GwError('usage.invalid', `--expires ${expires} is no time`, { hint: 'such as 2030-01-31T12:00:00Z' })
  }
  if (text.trimStart().startsWith('{')) {
    let payload
    try {
      payload = readPayload(JSON.parse(text))
    } catch (cause) {
      throw new GwError('usage.invalid', 'what is on standard input is not valid JSON', { cause })
    }
    if (!payload?.accessToken) throw new GwError('usage.invalid', 'there is no access token in that JSON')
    return { access: payload.accessToken, refresh: payload.refreshToken, expiresAt: given ?? payload.expiresAt }
  }
  const [access, refresh = null] = text.split(/\r?\n/).map((line) => line.trim()).filter(Boolean)
  if (!access) throw new GwError('usage.invalid', 'no token on standard input')
  return { access, refresh, expiresAt: given }
}

function withFlags(command: Command): Command {
  return command
    .option('--binding <name>', 'name of one of several logins with the same vendor')
    .option('--auth-file <path>', 'keep it in a file of your own instead of this home')
    .option('--device', 'enter a code on another device; needs no browser here')
    .option('--paste', 'paste the address that the browser ends with; needs no port here')
    .option('--no-browser', 'print the address instead of opening it')
    .option('--scope <scope...>', 'ask for these scopes')
    .option('--workspace <id>', 'log in to this workspace only')
    .option('--login-hint <email>', 'who is logging in')
    .option('--replace', "replace somebody else's login")
    .option('--wait <seconds>', 'give up when nobody came back from the page by then (600)')
    .exitOverride()
}

function login(context: CommandContext, name: string, flags: LoginFlags, server?: string): Promise<void> {
  const { io } = context
  if ((name === 'mcp') !== (server !== undefined)) {
    throw new GwError('usage.invalid', name === 'mcp' ? 'which tool server?' : `${name} takes no second name`, {
      hint: 'gw auth login mcp NAME; gw mcp servers lists them',
    })
  }
  return context.withSession(async (session) => {
    const vendor = server === undefined
      ? name
      : (await session.call(mutation('mcp.login'), { server }) as { vendor: string }).vendor
    const method = flags.device ? 'device' : flags.paste ? 'paste' : 'browser'
    const begun = await session.call(mutation('auth.begin'), {
      vendor,
      method,
      ...(flags.binding ? { binding: flags.binding } : {}),
      ...(flags.authFile ? { auth_file: flags.authFile } : {}),
      ...(flags.scope ? { scopes: flags.scope } : {}),
      ...(flags.loginHint ? { login_hint: flags.loginHint } : {}),
      ...(flags.workspace ? { parameters: { allowed_workspace_id: flags.workspace } } : {}),
      ...(flags.replace ? { replace: true } : {}),
      ...(flags.wait ? { wait_secs: Number(flags.wait) } : {}),
    }) as Begun
    tell(context, method, begun)
    // A device page was named by the far side, and a background process has nobody to show a page to.
    if (method === 'browser' && flags.browser && io.interactive && !session.remote) await openBrowser(begun.url)
    const state = method === 'paste' ? await paste(context, session, begun) : await wait(context, session, begun)
    if (state.state === 'failed') {
      const { code, message, hint } = state.error!
      throw new GwError(code as GwError['code'], message, hint ? { hint } : {})
    }
    if (context.options().json) {
      return printJson(io, { login: state.login, account: state.account })
    }
    const found = isObject(state.login) ? state.login : {}
    printFields(io, {
      vendor: String(found.vendor ?? vendor),
      ...(found.email ? { email: String(found.email) } : {}),
      ...(found.plan ? { plan: String(found.plan) } : {}),
      where: String(found.where ?? ''),
      account: state.account ?? 'none',
    })
  })
}

function tell({ io }: CommandContext, method: string, { url, userCode }: Begun): void {
  io.err(
    method === 'device'
      ? `Open this page on any device:\n\n  ${printable(url)}\n`
      : `Log in here:\n\n  ${printable(url)}\n`,
  )
  if (userCode) io.err(`\nand enter the code:  ${printable(userCode)}\n`)
  if (method !== 'paste') io.err('\nWaiting for you …\n')
}

async function wait({ io }: CommandContext, session: Session, begun: Begun): Promise<State> {
  for (;;) {
    if (io.signal.aborted) {
      await session.call(mutation('auth.cancel'), { session: begun.session })
      throw new GwError('cancelled', 'the login was cancelled')
    }
    const state = await session.call(mutation('auth.poll'), { session: begun.session }) as State
    if (state.state !== 'pending') return state
    await new Promise((resolve) => setTimeout(resolve, Math.min(state.intervalMs, 500)))
  }
}

/** A wrong paste costs a try, not the login. */
async function paste({ io }: CommandContext, session: Session, begun: Begun): Promise<State> {
  for (let attempt = 0;; attempt++) {
    const pasted = io.interactive
      ? await io.askLine('\nPaste the address or code that the page ends with: ')
      : await io.readInput()
    if (!pasted?.trim()) throw new GwError(io.interactive ? 'cancelled' : 'usage.invalid', 'nothing was pasted')
    try {
      return await session.call(mutation('auth.complete'), { session: begun.session, pasted: pasted.trim() }) as State
    } catch (error) {
      if (!(error instanceof GwError) || error.code !== 'request.invalid' || !io.interactive || attempt >= 4) {
        throw error
      }
      io.err(`${error.message}\n`)
    }
  }
}
