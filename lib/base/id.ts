declare const brand: unique symbol

/** A string that can only be made by its owner. */
export type Branded<Name extends string> = string & { readonly [brand]: Name }

/** `req_…`: one request of one client. */
export type RequestId = Branded<'RequestId'>
/** `acc_…` or a name from the config: our standing with a provider. */
export type AccountId = Branded<'AccountId'>
/** The `jti`/`sub` of an access token. */
export type TokenId = Branded<'TokenId'>
/** Who is calling: the token id of a client, or `operator`. */
export type PrincipalId = Branded<'PrincipalId'>

/**
 * A sortable, unguessable id: prefix, 9 characters of time in base 32, 16 hexadecimal ones of randomness.
 *
 * Ids made later sort later to the millisecond; 64 random bits keep them apart.
 */
export function newId<T extends string>(prefix: string, now: number): T {
  const random = crypto.randomUUID()
  // Its ends: the version stands in the middle.
  return `${prefix}_${now.toString(32).padStart(9, '0')}${random.slice(0, 8)}${random.slice(28)}` as T
}
