/**
 * Credentials: what proves us to a provider, right now.
 *
 * Owns the sources a credential can come from, the logins, and the refresh that only one process does. Does not choose
 * which account to use (routing) and does not know what an account is (accounts). Start at {@link createSources}: it
 * reads any {@link SourceSpec}; {@link assertAudience} is what keeps a credential at home.
 * @module
 */
export { assertAudience, originsOf } from './audience.ts'
export type { AccountIdSpec, Credential, CredentialKind, Reading, ReadOptions, SourceSpec } from './credential.ts'
export { claimedExpiry, claimText, identityHash, identityOf, kindOf, readClaims } from './identity.ts'
export { type CredentialPayload, readPayload, readTime } from './payload.ts'
export { createSources, isLocalCause, type Sources } from './resolve.ts'
export type { Fetch, SourceContext } from './sources/source.ts'
