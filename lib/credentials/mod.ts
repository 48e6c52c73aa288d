/**
 * Credentials: what proves us to a provider, right now.
 *
 * Owns the sources a credential can come from, the logins, and the refresh that only one process does. Does not choose
 * which account to use (routing) and does not know what an account is (accounts). Start at {@link createSources}: it
 * reads any {@link SourceSpec}; {@link assertAudience} is what keeps a credential at home.
 * @module
 */
export { assertAudience, originsOf } from './audience.ts'
export type { AccountIdSpec, Credential, Reading, ReadOptions, SourceSpec } from './credential.ts'
export { claimedExpiry, identityOf, readClaims } from './identity.ts'
export { readPayload, readTime } from './payload.ts'
export { createSources, type Sources } from './resolve.ts'
export type { Fetch } from './sources/source.ts'
export { standardInput } from './sources/standard-input.ts'
export { createLogins, type LoginInfo, type LoginPlace, type Logins, type Selector } from './logins.ts'
export { exchangeForToken, mintApiKey } from './flows/exchange-token.ts'
export { type FoundVendor, resolveVendors } from './vendors/registry.ts'
export { type Vendor, vendorDefaults } from './vendors/vendor.ts'
export { createLoginSessions, type LoginSession, type LoginSessions, type LoginState } from './login-sessions.ts'
