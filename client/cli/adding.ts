import { GwError, isObject, type JsonObject, nearest } from '../../lib/base/mod.ts'
import type { CliIo } from './io.ts'
import { operationNamed } from './manifest.ts'
import type { Session } from './session.ts'

/**
 * Refuses a provider that is not there before its key is asked for: nobody types a secret for a typing error.
 *
 * @throws GwError `provider.not_found` with the nearest one
 */
export async function knownProvider(session: Session, provider: string): Promise<void> {
  const { data } = await session.call(operationNamed('providers.list'), {}) as {
    data: readonly { readonly id: string; readonly aliases: readonly string[] }[]
  }
  if (data.some(({ id, aliases }) => id === provider || aliases.includes(provider))) return
  const [meant] = nearest(provider, data.map(({ id }) => id), 1)
  throw new GwError('provider.not_found', `no provider ${provider}`, {
    hint: meant === undefined ? 'gw providers list' : `did you mean ${meant}? gw providers list shows all`,
  })
}

/** Says of an account that was added on this machine what would keep it from being used. */
export function warnUnset(io: CliIo, session: Session, account: unknown): void {
  if (session.remote || !isObject(account)) return
  const { id, source } = account as JsonObject
  const variable = typeof source === 'string' ? /^env:(\w+)$/.exec(source)?.[1] : undefined
  if (variable === undefined || io.env[variable]) return
  io.err(`gw: ${variable} is not set here: set it where the gateway runs, then gw accounts check ${String(id)}\n`)
}
