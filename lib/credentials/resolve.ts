import { canonicalJson, GwError, isGwError, type Json, singleFlight } from '../base/mod.ts'
import type { AccountIdSpec, Reading, ReadOptions, SourceSpec } from './credential.ts'
import { readAws } from './sources/aws.ts'
import { commandOutput } from './sources/command.ts'
import { readGoogle } from './sources/google.ts'
import {
  readAge,
  readCommand,
  readEnv,
  readFile,
  readKeychain,
  readLiteral,
  readSops,
  readStandardInput,
  readStore,
} from './sources/plain.ts'
import type { ReadSource, SourceContext } from './sources/source.ts'

/** Reads sources and remembers what they gave for as long as it is good. */
export interface Sources {
  /** What the source gives now. Everyone who asks at once shares one reading. */
  read(spec: SourceSpec, options?: ReadOptions): Promise<Reading>
  /** The id to send beside a token. */
  readAccountId(spec: AccountIdSpec, options?: ReadOptions): Promise<string>
  /** Forgets what a source gave: its secret was changed, or refused by the provider. */
  forget(spec: SourceSpec): void
}

/** How long the id that a command printed is kept. */
const accountIdMs = 5 * 60_000
const accountIdLimitMs = 30_000

const nothing: ReadSource<'none'> = () =>
  Promise.reject(new GwError('credential.unavailable', 'this account has no credential source'))

/** One reader per kind of source. */
const readers: { readonly [Type in SourceSpec['type']]: ReadSource<Type> } = {
  env: readEnv,
  literal: readLiteral,
  file: readFile,
  command: readCommand,
  store: readStore,
  keychain: readKeychain,
  sops: readSops,
  age: readAge,
  stdin: readStandardInput,
  aws: readAws,
  google: readGoogle,
  login: ({ vendor, binding }, { grants }, options) => grants.readLogin(vendor, binding, options),
  foreign: ({ tool, path }, { grants }, options) => grants.readForeign(tool, path, options),
  none: nothing,
}

/** Makes {@link Sources} over what they read from. */
export function createSources(context: SourceContext): Sources {
  const flight = singleFlight<Reading>()
  const ids = singleFlight<string>()
  const known = new Map<string, Reading>()
  const knownIds = new Map<string, { id: string; freshUntil: number }>()
  const keyOf = (spec: SourceSpec): string =>
    spec.type === 'literal' ? `literal:${spec.value.reveal()}` : canonicalJson(spec as unknown as Json)

  // The map's value type says that spec and reader belong together; TypeScript cannot follow the correlation.
  const reader = (spec: SourceSpec) => readers[spec.type] as ReadSource<SourceSpec['type']>

  return {
    async read(spec, options = {}) {
      const key = keyOf(spec)
      const current = known.get(key)
      const refused = options.rejected !== undefined && current?.secret.reveal() === options.rejected.reveal()
      const must = refused || (options.force === true && options.rejected === undefined)
      if (!must && current && current.freshUntil > context.clock.now()) return current
      // One caller's leaving must not fail the others who wait for the same reading.
      const { signal, ...shared } = options
      const reading = flight.run(`${must ? 'force' : 'read'}:${key}`, async () => {
        const fresh = await reader(spec)(spec as never, context, shared).catch((error) => {
          throw explain(error, spec)
        })
        known.set(key, fresh)
        return fresh
      })
      return await unlessAborted(reading, signal)
    },
    async readAccountId(spec, options = {}) {
      if (spec.type === 'value') return spec.value
      if (spec.type === 'env') {
        const value = context.env[spec.variable]?.trim()
        if (value) return value
        throw new GwError('credential.unavailable', `environment variable ${spec.variable} (account id) is not set`)
      }
      const key = canonicalJson(spec.argv)
      const current = knownIds.get(key)
      if (current && current.freshUntil > context.clock.now()) return current.id
      const reading = ids.run(key, async () => {
        const text = await commandOutput(spec.argv, { env: context.env, timeoutMs: accountIdLimitMs })
        const id = text.trim()
        if (!/^[\x21-\x7e]{1,200}$/.test(id)) {
          throw new GwError('credential.unavailable', `the account id command ${spec.argv[0]} did not print one id`)
        }
        knownIds.set(key, { id, freshUntil: context.clock.now() + accountIdMs })
        return id
      })
      return await unlessAborted(reading, options.signal)
    },
    forget: (spec) => void known.delete(keyOf(spec)),
  }
}

function explain(error: unknown, spec: SourceSpec): unknown {
  if (isGwError(error)) return error
  return new GwError('credential.unavailable', `the ${spec.type} source failed`, { cause: error })
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return await work
  const cancelled = () => new GwError('cancelled', 'the caller left while a credential was read')
  if (signal.aborted) throw cancelled()
  let stop: (() => void) | undefined
  const left = new Promise<never>((_, reject) => {
    stop = () => reject(cancelled())
    signal.addEventListener('abort', stop, { once: true })
  })
  work.catch(() => {})
  return await Promise.race([work, left]).finally(() => signal.removeEventListener('abort', stop!))
}
