import { stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { GwError } from '../../base/mod.ts'
import { readBounded } from '../../platform/mod.ts'
import { commandOutput } from './command.ts'
import { documentReading, tokenReading } from './reading.ts'
import type { ReadSource, SourceContext } from './source.ts'

/** How long a file, a keychain item or a stored secret is taken as read before it is looked at again. */
const recheckMs = 1_000
const keychainMs = 60_000
const decryptMs = 5 * 60_000
const toolLimitMs = 30_000

/** Names a folder of credentials is searched for, in order. */
const usualNames = ['credentials.json', '.credentials.json', 'auth.json', 'oauth.json', 'config.json']

/** A path with `~` as the home folder. */
export function expandHome(path: string, env: SourceContext['env']): string {
  return path === '~' || path.startsWith('~/') ? join(env.HOME || homedir(), path.slice(1)) : path
}

/** A variable of the environment, or the stored secret that stands in for one that is not set. */
export const readEnv: ReadSource<'env'> = (spec, context, options) => {
  const value = context.env[spec.variable]?.trim()
  if (!value && spec.otherwise) return readStore(spec.otherwise, context, options)
  if (!value) {
    throw new GwError('credential.unavailable', `environment variable ${spec.variable} is not set`, {
      hint:
        `export ${spec.variable} where gw is started, or keep the secret in gw: gw accounts update ID --secret-stdin`,
    })
  }
  return Promise.resolve(tokenReading(value, `environment variable ${spec.variable}`, Infinity))
}

/** A value of the config file. */
export const readLiteral: ReadSource<'literal'> = (spec) =>
  Promise.resolve(tokenReading(spec.value.reveal(), 'the token in the config', Infinity))

/** A file, or the first file with a token in a folder. */
export const readFile: ReadSource<'file'> = async (spec, { env, clock }) => {
  const path = expandHome(spec.path, env)
  const freshUntil = clock.now() + recheckMs
  const folder = await stat(path).then((info) => info.isDirectory(), () => false)
  if (!folder) return documentReading(await need(path), path, freshUntil)
  for (const name of usualNames) {
    const text = await readBounded(join(path, name)).catch(() => null)
    if (text === null) continue
    try {
      return documentReading(text, join(path, name), freshUntil)
    } catch {
      // The first file that has a token wins; one without is not an error here.
    }
  }
  throw new GwError('credential.unavailable', `no file with a token in ${path}`, {
    hint: `one of ${usualNames.join(', ')} is expected there`,
  })
}

async function need(path: string): Promise<string> {
  try {
    const text = await readBounded(path)
    if (text !== null) return text
  } catch (cause) {
    throw new GwError('credential.unavailable', `${path} cannot be read`, { cause })
  }
  throw new GwError('credential.unavailable', `${path} does not exist`)
}

/** The encrypted store of this home. */
export const readStore: ReadSource<'store'> = async (spec, { secrets, clock }) => {
  const secret = await secrets.get(spec.ref)
  if (!secret) throw new GwError('credential.unavailable', `no stored secret ${spec.ref}`)
  return documentReading(secret.reveal(), `stored secret ${spec.ref}`, clock.now() + recheckMs)
}

/** An item of the OS keychain, through the keychain itself or the system's own tool. */
export const readKeychain: ReadSource<'keychain'> = async (spec, context, options) => {
  const { keychain, env, clock } = context
  const what = `keychain item ${spec.service}/${spec.account}`
  const direct = await keychain?.get(spec.service, spec.account)
  const text = direct ?? await systemTool(spec, { env, timeoutMs: toolLimitMs, ...options })
  if (text === null) throw new GwError('credential.unavailable', `there is no ${what}`)
  return documentReading(text, what, clock.now() + keychainMs)
}

async function systemTool(
  { service, account }: { service: string; account: string },
  options: Parameters<typeof commandOutput>[1],
): Promise<string | null> {
  const argv = process.platform === 'darwin'
    ? ['security', 'find-generic-password', '-s', service, '-a', account, '-w']
    : ['secret-tool', 'lookup', 'service', service, 'account', account]
  try {
    return (await commandOutput(argv, options)).trim() || null
  } catch (cause) {
    const status = (cause as GwError).details?.status
    if (status === 1 || status === 44) return null
    throw new GwError('secret.unavailable', `no keychain can be reached for ${service}/${account}`, { cause })
  }
}

/** A file encrypted with sops. */
export const readSops: ReadSource<'sops'> = async (spec, { env, clock }, options) => {
  const path = expandHome(spec.path, env)
  const extract = spec.key === undefined ? [] : ['--extract', `["${spec.key.split('.').join('"]["')}"]`]
  const text = await commandOutput(['sops', '--decrypt', ...extract, path], { env, timeoutMs: toolLimitMs, ...options })
  return documentReading(text, `${path}, decrypted,`, clock.now() + decryptMs)
}

/** A file encrypted with age; an inline identity goes through standard input, never through the arguments. */
export const readAge: ReadSource<'age'> = async (spec, { env, clock }, options) => {
  const path = expandHome(spec.path, env)
  const inline = spec.identity.startsWith('AGE-SECRET-KEY-')
  const identity = inline ? '-' : expandHome(spec.identity, env)
  const text = await commandOutput(['age', '--decrypt', '--identity', identity, path], {
    env,
    timeoutMs: toolLimitMs,
    ...(inline ? { input: `${spec.identity}\n` } : {}),
    ...options,
  })
  return documentReading(text, `${path}, decrypted,`, clock.now() + decryptMs)
}

/** A program that prints one token. */
export const readCommand: ReadSource<'command'> = async (spec, { env, clock }, options) => {
  const text = await commandOutput(spec.argv, { env, timeoutMs: spec.timeoutMs, ...options })
  return tokenReading(text, `the credential command ${spec.argv[0]}`, clock.now() + spec.cacheTtlMs)
}

/** The standard input of this process. */
export const readStandardInput: ReadSource<'stdin'> = async (_spec, { readStdin }) => {
  if (!readStdin) throw new GwError('credential.unavailable', 'this process has no standard input to read a token from')
  return tokenReading((await readStdin()).trim(), 'standard input', Infinity)
}
