import { GwError, once } from '../base/mod.ts'

/** The operating system's store of secrets. */
export interface Keychain {
  /** Whether it can be used; asked of the system once. */
  present(): Promise<boolean>
  /** The value of an item, or `null` when there is none. */
  get(service: string, account: string): Promise<string | null>
  set(service: string, account: string, value: string): Promise<void>
  /** Whether there was one. */
  delete(service: string, account: string): Promise<boolean>
}

/** Longest wait for one call: a locked keychain may be asking its user, and a request must not wait for that. */
const callLimitMs = 10_000
const probeLimitMs = 2_000

type AsyncEntry = import('@napi-rs/keyring').AsyncEntry

/**
 * The keychain of this machine, reached by its first use: most homes keep their key in a file, and the binding costs a
 * start more than the rest of the room. Where there is none to use it is not present, holds nothing and takes nothing.
 */
export function systemKeychain(): Keychain {
  const reached = once(reachKeychain)
  return {
    present: async () => await reached() !== null,
    get: async (service, account) => await (await reached())?.get(service, account) ?? null,
    async set(service, account, value) {
      const keychain = await reached()
      if (!keychain) throw new GwError('secret.locked', 'no keychain of this machine can be reached')
      await keychain.set(service, account, value)
    },
    delete: async (service, account) => await (await reached())?.delete(service, account) ?? false,
  }
}

/**
 * The keychain of this machine, or `null` when there is none to use.
 *
 * Asks once and gives up after 2 s. On Linux only the Secret Service counts: the kernel keyring forgets at a reboot.
 */
async function reachKeychain(): Promise<Omit<Keychain, 'present'> | null> {
  let Entry: typeof import('@napi-rs/keyring').AsyncEntry
  try {
    Entry = (await import('@napi-rs/keyring')).AsyncEntry
  } catch {
    return null
  }
  const entry = (service: string, account: string): AsyncEntry =>
    new Entry(service, account, { linux: { store: 'secret-service' } })
  try {
    await within(probeLimitMs, (signal) => entry('gw', 'probe').getPassword(signal))
  } catch {
    return null
  }
  return {
    get: (service, account) => explain('read', () => entry(service, account).getPassword()),
    set: (service, account, value) => explain('write', () => entry(service, account).setPassword(value)),
    delete: (service, account) => explain('delete', () => entry(service, account).deletePassword()),
  }
}

async function explain<T>(verb: string, work: () => Promise<T>): Promise<T> {
  try {
    return await within(callLimitMs, work)
  } catch (cause) {
    throw new GwError('secret.locked', `the keychain did not let gw ${verb} an item`, {
      hint: 'unlock the keychain of this user session, or set [secrets] key_store = "file"',
      cause,
    })
  }
}

function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      abort.abort()
      reject(new Error(`no answer within ${ms} ms`))
    }, ms)
  })
  // A binding that throws at once must end the clock too.
  return Promise.race([Promise.resolve(abort.signal).then(work), late]).finally(() => clearTimeout(timer))
}
