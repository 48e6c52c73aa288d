/**
 * Credentials: what proves us to a provider, right now.
 *
 * Owns the sources a credential can come from, the logins, and the refresh that only one process does. Does not choose
 * which account to use (routing) and does not know what an account is (accounts). Start at {@link Credential}.
 * @module
 */
export type { Credential, SourceSpec } from './credential.ts'
