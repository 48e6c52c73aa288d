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
export { claimedExpiry, identityOf, kindOf, readClaims } from './identity.ts'
export { type CredentialPayload, readPayload, readTime } from './payload.ts'
export { createSources, isLocalCause, type Sources } from './resolve.ts'
export type { Fetch, SourceContext } from './sources/source.ts'
export { standardInput } from './sources/standard-input.ts'
export { type ForeignTool, foreignTools } from './foreign/tools.ts'
export { type Grant, type GrantIdentity } from './grants/grant.ts'
export { openRenewal, type Renewal, sealRenewal } from './grants/journal.ts'
export type { Keeper, KeptGrant } from './grants/keeper.ts'
export { hasRenewal, type Ledger, takeLedger } from './grants/ledger.ts'
export type { GrantStore } from './grants/store.ts'
export {
  createLogins,
  type LoginInfo,
  type LoginPlace,
  type Logins,
  type LoginsOptions,
  type Selector,
} from './logins.ts'
export { exchangeForToken, type IssuedToken, mintApiKey, type TokenExchange } from './flows/exchange-token.ts'
export type { LoginOverrides } from './vendors/config.ts'
export { isLoginVariable } from './vendors/override-keys.ts'
export { builtinVendors, type FoundVendor, resolveVendors, type Vendors } from './vendors/registry.ts'
export { type Vendor, vendorDefaults, type VendorUse } from './vendors/vendor.ts'
export {
  type BeginLogin,
  createLoginSessions,
  type LoginMethod,
  type LoginSession,
  type LoginSessions,
  type LoginSessionsOptions,
  type LoginState,
} from './login-sessions.ts'
