import { type Clock, GwError, inTurn, type Logger, type Secret, type TokenId } from '../base/mod.ts'
import type { Storage } from '../storage/mod.ts'
import { type Authenticator, authenticator } from './authenticate.ts'
import type { AccessConfig } from './config.ts'
import { type Issuer, issuer } from './issuer.ts'
import { type KeyStore, signingKeys } from './keys.ts'
import { type BudgetState, type Limiter, limiter } from './limiter.ts'
import { mirror } from './mirror.ts'
import type { Principal } from './principal.ts'
import { type HashStore, sharedToken } from './shared-token.ts'
import { staticTokens } from './static.ts'
import { type AccessToken, tokenStore } from './store.ts'

/** Something that happened to tokens. */
export type AccessEvent =
  | { readonly type: 'issued'; readonly token: AccessToken }
  /** Here or in another process of the home. */
  | { readonly type: 'revoked'; readonly tokens: readonly TokenId[] }
  /** Once per period of the budget. */
  | {
    readonly type: 'soft_budget'
    readonly token: TokenId
    readonly spentMicros: number
    readonly limitMicros: number
  }

/** Our clients and what they may do. */
export interface Access extends Issuer, Pick<Authenticator, 'authenticate' | 'known'>, Pick<Limiter, 'admit'> {
  /**
   * How the budget of a token stands.
   *
   * @throws GwError `request.not_found`, also for a token of somebody else
   */
  budget(id: string, by: Principal): Promise<BudgetState>
  /**
   * Calls `end` once when the principal's token is revoked: the kill switch of a live stream. Returns the function that
   * takes it back, to be called when the stream is over.
   */
  onEnd(principal: Principal, end: () => void): () => void
  /** The same for one of thousands of streams, which is told itself and costs nothing beside. */
  watch(principal: Principal, stream: Revocable): void
  unwatch(principal: Principal, stream: Revocable): void
  /** Tells of every issue and revocation; returns the function that stops it. */
  subscribe(listener: (event: AccessEvent) => void): () => void
  /** A new signing key; tokens of the last `keep` ones stay good. Returns its id. */
  rotateKey(keep?: number): Promise<string>
  /**
   * Sets the one shared token with every right, or takes it away; every process of the home feels it within seconds.
   * Resolves with whether it was another before.
   *
   * @throws GwError `request.invalid` when it could be guessed, `request.conflict` when such tokens are switched off
   */
  setServerToken(token: Secret | null): Promise<boolean>
  /** Takes up what other processes of the home have changed; one small indexed read. */
  sync(): Promise<void>
  /** Takes in which tokens other processes of this home have ended, and the server token they have set. */
  catchUp(): Promise<void>
  /** Puts a reloaded config in force. @throws GwError `config.invalid`; then the old one stays */
  configure(config: AccessConfig): void
  /** Syncs every two seconds until {@link Access.close}. */
  start(): void
  close(): Promise<void>
}

/** What lasts as long as the right to it. */
export interface Revocable {
  /** The right is gone; told once. */
  revoked(): void
}

/** What {@link createAccess} needs. */
export interface AccessOptions {
  readonly storage: Storage
  readonly clock: Clock
  readonly secrets: KeyStore & HashStore
  readonly config: AccessConfig
  readonly logger: Logger
  /** Where `tokens.lino` and `tokens.bin` are kept, when `storage_policy` asks for them. */
  readonly mirrorFolder: string
}

/** Revocations of other processes are felt within this time and what one read takes; the promise is 5 s. */
const syncEveryMs = 2_000
const pruneEveryMs = 3_600_000
/** Tokens that ran out are forgotten after this time. */
const keepExpiredMs = 90 * 86_400_000

/**
 * Opens the access room of a home.
 *
 * @throws GwError `config.invalid` for a signing secret or a configured token that is empty, short, shared or well known
 */
export async function createAccess(options: AccessOptions): Promise<Access> {
  const { storage, clock, secrets, logger } = options
  let { config } = options
  const store = tokenStore(storage)
  const keys = signingKeys(secrets, config.token_secret, () => clock.monotonic())
  const shared = await sharedToken(secrets)
  let statics = staticTokens(config, shared.hash)
  const listeners = new Set<(event: AccessEvent) => void>()
  const watched = new Map<string, Set<Revocable>>()
  /** Revoked here and not yet met again in the list of changes. */
  const ours = new Set<string>()
  const stop = new AbortController()
  const files = mirror(store, options.mirrorFolder, () => config.storage_policy, logger)
  let seq = await store.position()
  let prunedAt = clock.monotonic()

  function tell(event: AccessEvent): void {
    for (const listener of listeners) listener(event)
  }

  function ended(ids: readonly string[]): void {
    files.changed()
    gate.forget(ids)
    limits.forget(ids)
    for (const id of ids) {
      const streams = watched.get(id)
      watched.delete(id)
      for (const stream of streams ?? []) stream.revoked()
    }
    tell({ type: 'revoked', tokens: ids as readonly TokenId[] })
  }

  function addStream({ token }: Principal, stream: Revocable): void {
    if (token === null) return
    const streams = watched.get(token)
    if (streams) streams.add(stream)
    else watched.set(token, new Set([stream]))
  }

  function dropStream({ token }: Principal, stream: Revocable): void {
    if (token === null) return
    const left = watched.get(token)
    if (left?.delete(stream) && left.size === 0) watched.delete(token)
  }

  const limits = limiter({
    storage,
    clock,
    logger,
    timeZone: () => config.time_zone,
    unpricedAllowed: () => config.unpriced === 'allow',
    async reload(ids) {
      const found = await Promise.all(ids.map((id) => store.find(id)))
      return found.filter((token) => token !== null && token.revokedAt === null) as AccessToken[]
    },
    onSoftBudget(id, spentMicros, limitMicros) {
      logger.log('warn', 'access.soft_budget', { token_id: id, spentMicros, limitMicros })
      tell({ type: 'soft_budget', token: id as TokenId, spentMicros, limitMicros })
    },
  })
  const gate = authenticator({
    store,
    keys,
    clock,
    statics,
    anonymous: config.anonymous,
    capacity: config.remembered_tokens,
    prepare: limits.prepare,
  })
  const desk = issuer({
    store,
    keys,
    clock,
    defaultTtlMs: () => config.default_ttl_hours * 3_600_000,
    staticGrant: (principal) => statics.grantOf(principal),
    onIssued(token) {
      files.changed()
      tell({ type: 'issued', token })
    },
    onImported: () => files.changed(),
    onRevoked(ids) {
      for (const id of ids) ours.add(id)
      ended(ids)
    },
  })

  const catchUp = inTurn(async () => {
    const changes = await store.changesSince(seq)
    seq = changes.seq
    const theirs = changes.ids.filter((id) => !ours.delete(id))
    if (theirs.length > 0) ended(theirs)
    if (await shared.look()) takeUp()
  })

  async function sync(): Promise<void> {
    await catchUp()
    await limits.sync()
    if (clock.monotonic() - prunedAt > pruneEveryMs) {
      prunedAt = clock.monotonic()
      await store.prune(clock.now() - keepExpiredMs)
    }
  }

  function takeUp(next = config): void {
    statics = staticTokens(next, shared.hash)
    config = next
    gate.configure(statics, next.anonymous)
  }

  async function watch(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await clock.sleep(syncEveryMs, stop.signal)
        await sync()
      } catch (error) {
        if (!stop.signal.aborted) logger.log('warn', 'access.sync_failed', { error })
      }
    }
  }

  let watching: Promise<void> | null = null
  return {
    ...desk,
    authenticate: gate.authenticate,
    known: gate.known,
    admit: limits.admit,
    budget: async (id, by) => await limits.state(await desk.show(id, by)),
    onEnd(principal, end) {
      const stream = { revoked: end }
      addStream(principal, stream)
      return () => dropStream(principal, stream)
    },
    watch: addStream,
    unwatch: dropStream,
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    rotateKey: (keep = 3) => keys.rotate(keep),
    catchUp,
    sync,
    async setServerToken(token) {
      if (token !== null && !config.legacy_admin) {
        throw new GwError('request.conflict', 'access.legacy_admin is off, so a server token would let nobody in', {
          hint: 'gw tokens issue',
        })
      }
      const changed = await shared.set(token)
      takeUp()
      return changed
    },
    configure: takeUp,
    start() {
      files.changed()
      watching ??= watch()
    },
    async close() {
      stop.abort()
      await watching
      await files.settled()
    },
  }
}
