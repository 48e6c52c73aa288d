import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GwError, type Secret } from '../base/mod.ts'
import { ensurePrivateDir, processAlive, writeAtomic } from '../platform/mod.ts'
import type { RouteAccount } from './inventory/inventory.ts'
import { expandHome } from './runtime.ts'

/** The parts of a credential that can be handed to a program. */
export interface InjectedToken {
  readonly accessToken: Secret
  readonly refreshToken: Secret | null
  readonly expiresAt: number | null
}

/** Whose environment it is, and what it is made of. */
export interface ChildEnvInput {
  readonly account: RouteAccount
  readonly capability: string | null
  readonly profile: string | null
  readonly base: Readonly<Record<string, string | undefined>>
  readonly version: string
  readonly token: InjectedToken | null
}

/** The variables by which a program learns which route it was given. */
function routeVariables({ account, capability, profile, version }: Omit<ChildEnvInput, 'base' | 'token'>) {
  const facts = {
    ACTIVE_PROVIDER: account.provider,
    ACTIVE_ACCOUNT: account.account,
    ACTIVE_PROFILE: profile ?? '',
    ACTIVE_CAPABILITY: capability ?? '',
    VERSION: version,
  }
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) => [[`OMUX_${name}`, value], [`GW_${name}`, value]]),
  )
}

/**
 * Only what the credential adds to an environment: the route's names, its directory, its tokens.
 *
 * The values are secrets: they go to a child or a shell, nowhere else.
 */
function injectedVariables(
  input: Omit<ChildEnvInput, 'base'> & { readonly home: ChildEnvInput['base'] },
): Record<string, string> {
  const { account, token, home } = input
  const variables: Record<string, string> = routeVariables(input)
  if (account.configDirEnv && account.configDir) {
    variables[account.configDirEnv] = expandHome(account.configDir, home)
  }
  for (const [name, field] of token ? account.definition.injection.direct_env : []) {
    const value = field === 'refresh_token' ? token!.refreshToken : token!.accessToken
    if (value) variables[name] = value.reveal()
  }
  return variables
}

/** The environment of a program that is to use this route. */
export function childEnv(input: ChildEnvInput): Record<string, string | undefined> {
  return { ...input.base, ...injectedVariables({ ...input, home: input.base }) }
}

/** A credential laid out for one program. */
export interface Injection {
  /** What is added to the environment. */
  readonly variables: Readonly<Record<string, string>>
  /** Removes what was written. Safe to call twice. */
  dispose(): Promise<void>
}

/** Whether the program can only be reached by a file of its own. */
export function needsFile(account: RouteAccount): boolean {
  const { injection } = account.definition
  return account.configDir === null && account.configDirEnv !== null && injection.credential_template !== undefined
}

/** Whether the program needs the token itself, rather than a directory that its own login filled. */
export function needsToken(account: RouteAccount): boolean {
  return needsFile(account) || account.definition.injection.direct_env.length > 0
}

const folderName = /^exec-(\d+)-[0-9a-f-]+$/

/**
 * Lays a credential out: variables, and where the program reads only a file, that file (0600) in a private directory of
 * this process, which {@link Injection.dispose} removes. What a killed process left is swept first.
 *
 * @param folder the runtime directory of this home
 */
export async function inject(input: ChildEnvInput & { readonly folder: string }): Promise<Injection> {
  const { account, token } = input
  const variables = injectedVariables({ ...input, home: input.base })
  if (!needsFile(account)) return { variables, dispose: () => Promise.resolve() }
  if (!token) {
    throw new GwError('credential.unavailable', `${account.provider}:${account.account} has no token to hand over`)
  }
  await sweep(input.folder)
  const folder = join(input.folder, `exec-${process.pid}-${crypto.randomUUID()}`)
  const dispose = () => rm(folder, { recursive: true, force: true })
  try {
    await ensurePrivateDir(folder)
    const { credential_filename: name, credential_template: template } = account.definition.injection
    await writeAtomic(join(folder, name), renderTemplate(template!, token))
  } catch (error) {
    await dispose()
    throw error
  }
  return { variables: { ...variables, [account.configDirEnv!]: folder }, dispose }
}

/** Removes what processes that are gone left behind. @internal */
export async function sweep(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names) {
    const match = folderName.exec(name)
    if (match && !processAlive(Number(match[1]))) await rm(join(folder, name), { recursive: true, force: true })
  }
}

/**
 * A credential template filled in. Inside JSON text the values are escaped as JSON; an absent one is empty. An expiry
 * that nobody knows is `null` where JSON has a value of its own and empty elsewhere: a number would be a time, and 0 one
 * that is long past.
 */
function renderTemplate(template: string, token: InjectedToken): string {
  const escape = (text: string) => JSON.stringify(text).slice(1, -1)
  const unknown = (at: number) => /^\s*[{[]/.test(template) && !insideText(template, at) ? 'null' : ''
  const values: Readonly<Record<string, (at: number) => string>> = {
    access_token: () => escape(token.accessToken.reveal()),
    refresh_token: () => escape(token.refreshToken?.reveal() ?? ''),
    expires_at: (at) => token.expiresAt === null ? unknown(at) : String(token.expiresAt),
  }
  return template.replace(
    /\{\{(access_token|refresh_token|expires_at)\}\}/g,
    (_, name: string, at: number) => values[name]!(at),
  )
}

/** Whether a place of a JSON text lies between quotes. */
const insideText = (json: string, at: number): boolean =>
  (json.slice(0, at).match(/(?<!\\)(?:\\\\)*"/g)?.length ?? 0) % 2 === 1
