import { GwError, Secret } from '../base/mod.ts'
import { shortest, tokenHash } from './static.ts'

/** Where the hash of a shared token is kept: the part of a secret store that this needs. */
export interface HashStore {
  get(ref: string): Promise<Secret | null>
  put(ref: string, value: Secret): Promise<void>
  delete(ref: string): Promise<boolean>
}

/** The one token with every right that its owner chose: kept as a hash, sealed. */
export interface SharedToken {
  /** As of the last {@link SharedToken.look}. */
  readonly hash: string | null
  /** Reads again; whether it changed. */
  look(): Promise<boolean>
  /** @throws GwError `request.invalid` when it is short enough to be guessed */
  set(token: Secret | null): Promise<boolean>
}

const ref = 'access/server-token'

/** Opens the {@link SharedToken} of a home. */
export async function sharedToken(secrets: HashStore): Promise<SharedToken> {
  const read = async () => (await secrets.get(ref))?.reveal() ?? null
  let hash = await read()
  return {
    get hash() {
      return hash
    },
    async look() {
      const now = await read()
      const changed = now !== hash
      hash = now
      return changed
    },
    async set(token) {
      if (token === null) {
        hash = null
        return await secrets.delete(ref)
      }
      const text = token.reveal()
      if (text.length < shortest || text.trim() !== text) {
        throw new GwError(
          'request.invalid',
          `a server token has at least ${shortest} characters and no blanks around`,
          {
            hint: 'make one with: openssl rand -hex 24; better: gw tokens issue',
            param: 'token',
          },
        )
      }
      const next = tokenHash(text)
      const changed = next !== hash
      await secrets.put(ref, new Secret(next))
      hash = next
      return changed
    },
  }
}
