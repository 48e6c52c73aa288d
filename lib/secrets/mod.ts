/**
 * Secrets: what must not be read by anyone else, at rest.
 *
 * Owns the encrypted records of a home, the master key that seals them (in the OS keychain, else in a 0600 file), the
 * signing keys gw makes for itself, and the keychain port. Does not know what a secret is for. Start at
 * {@link openSecretStore}.
 * @module
 */
export { openRouterRecord } from './cipher.ts'
export { type Keychain, systemKeychain } from './keychain.ts'
export { openSecretStore, type SecretStore } from './store.ts'
