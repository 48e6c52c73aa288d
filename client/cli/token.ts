import type { Command } from 'commander'
import { GwError, isGwError, isObject, type JsonObject, Secret } from '../../lib/base/mod.ts'
import type { LoginPlace, Logins, Selector } from '../../lib/credentials/mod.ts'
import type { Home } from '../../lib/open-home.ts'
import { embeddedAnthropic, type EmbeddedCredentials } from './embedded.ts'
import { printFields, printJson } from './output.ts'
import type { AddCommands, CommandContext } from './program.ts'

interface TokenFlags {
  readonly refresh?: boolean
  readonly binding?: string
  readonly authFile?: string
  readonly email?: string
  readonly accountId?: string
  readonly orgId?: string
  readonly projectId?: string
  readonly credentialSource?: string
}

/** What one printing command prints. */
type Print = (home: Home, flags: TokenFlags) => Promise<Secret | string>

/**
 * Commands that print one value and a newline, for tools that ask a program for their token. Everything else they say
 * goes to standard error.
 */
export const tokenCommands: AddCommands = (program, context) => {
  program.command('token [account]')
    .description('Print a fresh token: of an account, of a login (VENDOR or VENDOR.BINDING), or one for gw itself')
    .option('--refresh', 'refresh it first')
    .addHelpText('after', '\nExample: gw token openai')
    .exitOverride()
    .action((account: string | undefined, flags: TokenFlags) =>
      print(
        context,
        flags,
        (home) => account === undefined ? ownToken(home, flags) : accountToken(home, account, flags),
      )
    )
  const auth = program.commands.find((command) => command.name() === 'auth') ?? program.command('auth')
  for (const [name, [description, value, embedded]] of Object.entries(printers)) {
    const command = selectors(auth.command(name).description(description))
    if (embedded) command.option('--credential-source <source>', 'stored, or embedded in this build', 'stored')
    command.action((flags: TokenFlags) => print(context, flags, value))
  }
  exchangeCommand(auth, context)
  inspectCommand(auth, context)
}

interface ExchangeFlags extends TokenFlags {
  readonly subject: string
  readonly requestedType?: string
  readonly audience?: string
  readonly resource?: string
  readonly scope?: string[]
}

function exchangeCommand(auth: Command, context: CommandContext): void {
  selectors(
    auth.command('exchange <vendor>')
      .description('Print a token that the vendor gives in exchange for that of a login (RFC 8693)'),
  )
    .option('--audience <name>', 'whom the new token is for')
    .option('--resource <url>', 'whom it is for, by URL')
    .option('--scope <scope...>', 'what it may do')
    .option('--subject <token>', 'which token of the login is handed over: access or id', 'access')
    .option('--requested-type <type>', 'access, id, jwt, or the URI of a token type')
    .addHelpText('after', '\nExample: gw auth exchange corp --audience https://api.example.com')
    .action((vendor: string, flags: ExchangeFlags) =>
      print(context, flags, async (home) => {
        const { subject, requestedType, audience, resource, scope } = flags
        if (subject !== 'access' && subject !== 'id') {
          throw new GwError('usage.invalid', `--subject is access or id, not ${subject}`)
        }
        const { exchangeForToken } = await import('../../lib/credentials/mod.ts')
        const kept = await select(home.logins, vendor, flags)
        const grant = await home.logins.keeper.fresh(kept, { force: flags.refresh === true })
        const { token } = await exchangeForToken(kept.vendor, grant, {
          subject,
          ...(requestedType ? { requested: requestedType } : {}),
          ...(audience ? { audience } : {}),
          ...(resource ? { resource } : {}),
          ...(scope ? { scopes: scope } : {}),
        }, {
          fetch: home.fetch,
          clock: home.clock,
          discovery: home.logins.discovery,
          clientSecret: (one) => home.logins.vendors().clientSecret(one),
        })
        return token
      })
    )
}

/** `inspect claude` under the name that token-plumber gives it, for embedded credentials too. */
function inspectCommand(auth: Command, context: CommandContext): void {
  auth.command('anthropic-inspect', { hidden: true })
    .description('Show the Claude login')
    .option('--binding <name>', 'name of one of several logins')
    .option('--auth-file <path>', 'a login file of your own')
    .option('--credential-source <source>', 'stored, or embedded in this build', 'stored')
    .exitOverride()
    .action((flags: TokenFlags) =>
      context.withSession(async (session) => {
        const carried = await embedded(flags)
        const shown = carried
          ? {
            vendor: 'claude',
            where: `this build: ${carried.name}`,
            expiresAt: carried.expiresAt,
            accessToken: carried.accessToken !== null,
            apiKey: carried.apiKey !== null,
          }
          : await session.call({ name: 'auth.inspect', kind: 'query' }, {
            vendor: 'claude',
            ...(flags.binding ? { binding: flags.binding } : {}),
            ...(flags.authFile ? { auth_file: flags.authFile } : {}),
          })
        if (context.options().json) return printJson(context.io, shown)
        printFields(context.io, shown as JsonObject)
      })
    )
}

const printers: Readonly<Record<string, readonly [description: string, value: Print, embedded: boolean]>> = {
  'chatgpt-access-token': ['Print a fresh ChatGPT access token', async (home, flags) => {
    return (await fresh(home.logins, 'chatgpt', flags)).accessToken!
  }, false],
  'chatgpt-account-id': ['Print the account id that goes beside it', async (home, flags) => {
    const { identity } = await fresh(home.logins, 'chatgpt', flags)
    if (identity.accountId) return identity.accountId
    throw new GwError('credential.unavailable', 'this ChatGPT login names no account id', { hint: 'log in again' })
  }, false],
  'openai-api-key': ['Print an OpenAI API key minted from the ChatGPT login', mint('chatgpt'), false],
  'anthropic-access-token': ['Print a fresh Claude access token', async (home, flags) => {
    const carried = await embedded(flags)
    return carried
      ? carriedValue(carried, 'accessToken', home)
      : (await fresh(home.logins, 'claude', flags)).accessToken!
  }, true],
  'anthropic-api-key': ['Print an Anthropic API key minted from the Claude login', mint('claude'), true],
}

function mint(vendor: string): Print {
  return async (home, flags) => {
    const carried = vendor === 'claude' ? await embedded(flags) : null
    if (carried) return carriedValue(carried, 'apiKey', home)
    const { mintApiKey } = await import('../../lib/credentials/mod.ts')
    const kept = await select(home.logins, vendor, flags)
    const grant = await home.logins.keeper.fresh(kept, { force: flags.refresh === true })
    return await mintApiKey(kept.vendor, grant, { fetch: home.fetch, clock: home.clock })
  }
}

/** The credentials that this build carries, when that was asked for. Said aloud each time: they are nobody's own. */
async function embedded(flags: TokenFlags): Promise<EmbeddedCredentials | null> {
  if ((flags.credentialSource ?? 'stored') === 'stored') return null
  if (flags.credentialSource !== 'embedded') {
    throw new GwError('usage.invalid', `--credential-source is stored or embedded, not ${flags.credentialSource}`)
  }
  const found = await embeddedAnthropic()
  if (!found) {
    throw new GwError('credential.unavailable', 'this build of gw carries no credentials', {
      hint: 'build it with --define GW_EMBED_ANTHROPIC_CREDENTIALS_JSON=…',
    })
  }
  process.stderr.write(`gw: using the credentials embedded in this build (${found.name})\n`)
  return found
}

/** What was asked for stands in the build or nowhere: a stored login is not taken in its place. */
function carriedValue(carried: EmbeddedCredentials, which: 'accessToken' | 'apiKey', home: Home): Secret {
  const found = carried[which]
  if (!found) {
    throw new GwError('credential.unavailable', `the credentials embedded in this build have no ${which}`, {
      hint: 'leave out --credential-source to use your own login',
    })
  }
  if (which === 'accessToken' && carried.expiresAt !== null && carried.expiresAt <= home.clock.now()) {
    throw new GwError('credential.login_required', 'the access token embedded in this build is over', {
      hint: 'leave out --credential-source to use your own login, or build it again',
    })
  }
  return found
}

function selectors(command: Command): Command {
  return command
    .option('--refresh', 'refresh it first')
    .option('--binding <name>', 'name of one of several logins')
    .option('--auth-file <path>', 'a login file of your own')
    .option('--email <address>', 'the login of this person')
    .option('--account-id <id>', 'the login of this account')
    .option('--org-id <id>', 'the login of this organization')
    .option('--project-id <id>', 'the login of this project')
    .exitOverride()
}

function print(context: CommandContext, flags: TokenFlags, value: Print): Promise<void> {
  return context.withSession(async (session) => {
    if (session.remote) {
      throw new GwError('usage.invalid', 'a token is printed by the machine that holds it, not through --url', {
        hint: 'leave --url out, and GW_URL; gw tokens issue --label NAME makes one over there',
      })
    }
    const printed = await value(await session.home(), flags)
    const text = typeof printed === 'string' ? printed : printed.reveal()
    if (context.options().json) return printJson(context.io, { value: text })
    context.io.out(`${text}\n`)
  })
}

const fresh = async (logins: Logins, vendor: string, flags: TokenFlags) =>
  await logins.keeper.fresh(await select(logins, vendor, flags), { force: flags.refresh === true })

function select(logins: Logins, vendor: string, flags: TokenFlags) {
  const place: LoginPlace = { binding: flags.binding ?? null, file: flags.authFile ?? null }
  const selector: Selector = {
    ...(flags.email ? { email: flags.email } : {}),
    ...(flags.accountId ? { accountId: flags.accountId } : {}),
    ...(flags.orgId ? { organizationId: flags.orgId } : {}),
    ...(flags.projectId ? { projectId: flags.projectId } : {}),
  }
  return logins.select(vendor, place, selector)
}

/** An account's own credential, refreshed where need be; else that of a login by this name. */
async function accountToken(home: Home, name: string, flags: TokenFlags): Promise<Secret> {
  const login = home.accounts.list().some((account) => account.id === name) ? null : await loginToken(home, name, flags)
  if (login) return login
  const credential = await home.accounts.credentialFor(home.accounts.get(name), { force: flags.refresh === true })
  if (credential.kind === 'api-key' || credential.kind === 'auth-token') return credential.secret
  throw new GwError('credential.unavailable', `account ${name} has no token to print`)
}

/** The token of `VENDOR` or `VENDOR.BINDING`: a login that is no provider of models has no account. */
async function loginToken({ logins }: Home, name: string, flags: TokenFlags): Promise<Secret | null> {
  const [id, binding = null] = name.split(/\.(.*)/s) as [string, string | undefined]
  const vendor = logins.vendors().list().find((one) => one.id === id || one.aliases.includes(id))
  if (!vendor || await logins.own(vendor.id, { binding }).store.version() === null) return null
  return (await logins.readLogin(vendor.id, binding, { force: flags.refresh === true })).secret
}

const ownRef = 'client/token'
const ownLifeMs = 24 * 3_600_000
const ownMarginMs = 3_600_000

/** A token for gw itself, for tools that are pointed at it: made on first use, then kept until an hour before its end. */
async function ownToken(home: Home, flags: TokenFlags): Promise<Secret> {
  const kept = flags.refresh ? null : await home.secrets.get(ownRef)
  const known: unknown = kept ? JSON.parse(kept.reveal()) : null
  if (isObject(known) && typeof known.token === 'string' && Number(known.until) - ownMarginMs > home.clock.now()) {
    if (await isAccepted(home, known.token)) return new Secret(known.token)
  }
  const { operator } = await import('../../lib/access/mod.ts')
  const { token, info } = await home.access.issue({
    label: 'gw token',
    scopes: ['read', 'write'],
    ttlMs: ownLifeMs,
  }, operator)
  const until = info.expiresAt ?? home.clock.now() + ownLifeMs
  await home.secrets.put(ownRef, new Secret(JSON.stringify({ token: token.reveal(), until })))
  return token
}

/** Whether gw itself still takes a token: it may have been revoked since it was made, or its signing key rotated away. */
async function isAccepted(home: Home, token: string): Promise<boolean> {
  try {
    await home.access.authenticate(new Headers({ authorization: `Bearer ${token}` }))
    return true
  } catch (error) {
    if (isGwError(error) && error.code.startsWith('access.')) return false
    throw error
  }
}
