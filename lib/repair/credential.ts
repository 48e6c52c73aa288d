import { GwError, isObject, Secret } from '../base/mod.ts'
import { claimedExpiry, identityOf, readTime } from '../credentials/mod.ts'
import { readBounded } from '../platform/mod.ts'
import type { RunProgram } from './context.ts'
import type { ProviderDefinition } from './definition/schema.ts'
import type { RouteAccount } from './inventory/inventory.ts'
import { maxSecretBytes, type SecretBackend } from './inventory/secret.ts'
import { expandHome } from './runtime.ts'

/** The parts of a stored credential. */
export interface StoredCredential {
  readonly accessToken: Secret
  readonly refreshToken: Secret | null
  /** Epoch ms; `null` when nobody knows. */
  readonly expiresAt: number | null
  readonly apiKey: boolean
  /** Whose it is, as a hash. */
  readonly identity: string
}

/** What reading takes. */
export interface ReadSecretOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly runProgram: RunProgram
  /** All of standard input, once; absent where it is not this process's to read. */
  readonly readInput?: (() => Promise<string>) | undefined
}

/** How long a program that gives out a secret may take. */
const secretProgramMs = 30_000

/**
 * The text of a secret.
 *
 * @throws GwError `secret.unavailable` when it cannot be read now: a cause on this machine, which never changes what is
 * believed about the account
 */
async function readSecret(secret: SecretBackend, options: ReadSecretOptions): Promise<Secret> {
  const text = await read(secret, options)
  if (text === null || text.trim() === '') {
    throw new GwError('secret.unavailable', `there is no credential in its ${secret.backend} backend`)
  }
  return new Secret(text)
}

async function read(secret: SecretBackend, { env, runProgram, readInput }: ReadSecretOptions): Promise<string | null> {
  const run = async (argv: readonly string[], input?: string, more: typeof env = {}): Promise<string | null> => {
    const bounds = { timeoutMs: secretProgramMs, maxOutputBytes: maxSecretBytes }
    const options = { env: { ...env, ...more }, ...bounds, ...(input ? { input } : {}) }
    const result = await runProgram(argv, options).catch((cause) => {
      throw new GwError('secret.unavailable', `${argv[0]} could not give the credential`, { cause })
    })
    if (result.status !== 0) {
      const how = result.timedOut ? 'did not answer in time' : `ended with status ${result.status}`
      throw new GwError('secret.unavailable', `${argv[0]} ${how}`, {
        hint: 'is the keychain locked, or the program not signed in?',
      })
    }
    return result.stdout.replace(/\r?\n$/, '')
  }
  switch (secret.backend) {
    case 'env':
      return env[secret.variable] ?? null
    case 'file':
      return await readBounded(expandHome(secret.path, env), maxSecretBytes).catch((cause) => {
        throw new GwError('secret.unavailable', 'the credential file cannot be read', { cause })
      })
    case 'command':
      return await run(secret.command)
    case 'keychain':
      return await run(
        process.platform === 'darwin'
          ? ['security', 'find-generic-password', '-s', secret.service, '-a', secret.account, '-w']
          : ['secret-tool', 'lookup', 'service', secret.service, 'account', secret.account],
      )
    case 'sops':
      return await run(
        ['sops', '--decrypt', expandHome(secret.path, env)],
        undefined,
        secret.key_path ? { SOPS_AGE_KEY_FILE: expandHome(secret.key_path, env) } : {},
      )
    case 'age': {
      // An inline identity is a secret: through standard input, where no process list shows it.
      const inline = secret.identity.startsWith('AGE-SECRET-KEY-')
      const argv = ['age', '-d', '-i', inline ? '-' : expandHome(secret.identity, env), expandHome(secret.path, env)]
      return await run(argv, inline ? `${secret.identity}\n` : undefined)
    }
    case 'stdin':
      if (readInput) return (await readInput()).replace(/\r?\n$/, '')
      throw new GwError('secret.unavailable', 'its credential comes from standard input, which is not at hand here')
  }
}

/**
 * The parts of a credential, by its definition: wrapper, API key path first, then dot paths; text that is no JSON is an
 * API key itself. A token that says when it ends is believed where nothing else says it.
 *
 * @throws GwError `credential.unavailable` when the document holds no token where the definition says
 */
export function parseCredential(secret: Secret, definition: ProviderDefinition, now: number): StoredCredential {
  const text = secret.reveal().trim()
  const { credential } = definition
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch {
    return bare(text, true)
  }
  if (typeof document === 'string') return bare(document, true)
  if (!isObject(document)) return bare(text, true)
  const root = credential.wrapper_key ? document[credential.wrapper_key] ?? document : document
  const key = credential.api_key_path ? textAt(root, credential.api_key_path) : null
  if (key) return bare(key, true)
  const access = textAt(root, credential.access_token_path)
  if (!access) {
    throw new GwError('credential.unavailable', 'the stored credential holds no access token where its definition says')
  }
  const refresh = textAt(root, credential.refresh_token_path)
  const at = credential.expires_at_path ? readTime(valueAt(root, credential.expires_at_path)) : null
  const within = credential.expires_in_path ? valueAt(root, credential.expires_in_path) : undefined
  return {
    accessToken: new Secret(access),
    refreshToken: refresh ? new Secret(refresh) : null,
    expiresAt: at ?? claimedExpiry(access) ??
      (typeof within === 'number' && Number.isFinite(within) ? now + within * 1000 : null),
    apiKey: false,
    identity: identityOf(access),
  }
}

const bare = (text: string, apiKey: boolean): StoredCredential => ({
  accessToken: new Secret(text),
  refreshToken: null,
  expiresAt: claimedExpiry(text),
  apiKey,
  identity: identityOf(text),
})

/** The value at a dot path. */
export function valueAt(document: unknown, path: string): unknown {
  return path.split('.').reduce<unknown>(
    (at, step) => isObject(at) && Object.hasOwn(at, step) ? at[step] : undefined,
    document,
  )
}

const textAt = (document: unknown, path: string): string | null => {
  const value = valueAt(document, path)
  return typeof value === 'string' && value !== '' ? value : null
}

/** Reads and takes apart the credential of a configured account. */
export async function loadCredential(
  account: RouteAccount,
  options: ReadSecretOptions,
  now: number,
): Promise<StoredCredential> {
  if (!account.secret) {
    throw new GwError('secret.unavailable', `${account.provider}:${account.account} has no secret configured`, {
      hint: 'its own program keeps it',
    })
  }
  return parseCredential(await readSecret(account.secret, options), account.definition, now)
}

/** How long before its end a token counts as ended. */
const expirySkewMs = 30_000

/** Whether a credential can no longer be sent. */
export function isExpired({ expiresAt }: Pick<StoredCredential, 'expiresAt'>, now: number): boolean {
  return expiresAt !== null && expiresAt - expirySkewMs <= now
}
