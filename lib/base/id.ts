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

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/**
 * A sortable, unguessable id: prefix, 9 characters of time, 16 of randomness, in Crockford's base 32.
 *
 * Ids made later sort later to the millisecond; 80 random bits keep them apart.
 */
export function newId<T extends string>(prefix: string, now: number): T {
  let time = ''
  for (let rest = now, i = 0; i < 9; i++) {
    time = alphabet[rest % 32]! + time
    rest = Math.floor(rest / 32)
  }
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  let random = ''
  for (const byte of bytes) random += alphabet[byte & 31]
  return `${prefix}_${time}${random}` as T
}
