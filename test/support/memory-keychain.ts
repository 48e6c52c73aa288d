import type { Keychain } from '../../lib/secrets/mod.ts'

/** A keychain that lives and dies with the process. */
export function memoryKeychain(): Keychain {
  const items = new Map<string, string>()
  const key = (service: string, account: string) => JSON.stringify([service, account])
  return {
    present: () => Promise.resolve(true),
    get: (service, account) => Promise.resolve(items.get(key(service, account)) ?? null),
    set: (service, account, value) => Promise.resolve(void items.set(key(service, account), value)),
    delete: (service, account) => Promise.resolve(items.delete(key(service, account))),
  }
}
