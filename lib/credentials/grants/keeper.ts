import { backoffMs, type Clock, GwError, isGwError, type Logger, Secret, singleFlight } from '../../base/mod.ts'
import type { Platform } from '../../platform/mod.ts'
import type { ReadOptions } from '../credential.ts'
import type { Fetch } from '../sources/source.ts'
import type { Discovery } from '../vendors/discovery.ts'
import type { Vendor } from '../vendors/vendor.ts'
import type { Vendors } from '../vendors/registry.ts'
import { fingerprint, type Grant, grantAfter, newer, sameTokens } from './grant.ts'
import { openRenewal, sealRenewal } from './journal.ts'
import { hasRenewal, type Ledger, takeLedger } from './ledger.ts'
import { callRefresh, canRefresh, isFinal, transient } from './refresh-call.ts'
import { onReadOnlyMount } from './spare.ts'
import type { GrantStore } from './store.ts'

/** A login as it is asked for: where it is kept and whose it is. */
export interface KeptGrant {
  readonly store: GrantStore
  readonly vendor: Vendor
  /** The command that mends it when it is dead. */
  readonly mend: string
}

/** Keeps logins alive: however many ask, in however many processes, each is refreshed once. */
export interface Keeper {
  /**
   * The login, good for use now.
   *
   * @throws GwError `credential.login_required` when a person must log in again, `credential.refresh_failed` when
   * asking later can help, `credential.unavailable` for what is wrong on this machine
   */
  fresh(kept: KeptGrant, options?: ReadOptions): Promise<Grant>
  /** Refreshes it now if it ends soon; never throws. True when it was refreshed or adopted. */
  tend(kept: KeptGrant): Promise<boolean>
  /** Runs `work` alone among all who use this login: for a new login, or for removing one. */
  alone<T>(kept: KeptGrant, work: () => Promise<T>): Promise<T>
}

/** What {@link createKeeper} needs. */
export interface KeeperOptions {
  readonly platform: Platform
  readonly clock: Clock
  readonly fetch: Fetch
  readonly logger: Logger
  readonly vendors: () => Vendors
  readonly discovery: Discovery
  readonly random: () => number
  /** Other places that may hold a copy of the same login: those with the spent token get the new one. */
  readonly copies?: (kept: KeptGrant) => readonly GrantStore[]
}

/** Refreshed this long before its end, or a quarter of its life; up to a fifth sooner, so that not all wake at once. */
const aheadMs = 5 * 60_000
const jitterShare = 0.2
/** Closer to its end than this, callers wait for the refresh instead of using what there is. */
const lastMomentMs = 30_000
const recheckMs = 1_000
const ledgerWaitMs = 60_000
const firstBackoffMs = 1_000
const longestBackoffMs = 60_000

interface Memory {
  grant: Grant
  version: string | null
  checkedAt: number
}

interface Trouble {
  readonly error: GwError
  /** Monotonic ms before which nobody asks again. */
  readonly until: number
  readonly failures: number
}

/** Makes a {@link Keeper}. */
export function createKeeper(options: KeeperOptions): Keeper {
  const { platform, clock, logger, random } = options
  const flight = singleFlight<Grant>()
  const memory = new Map<string, Memory>()
  const trouble = new Map<string, Trouble>()
  /** Tokens that could not be written: better kept here than lost. */
  const unsaved = new Map<string, Grant>()
  const tidied = new Set<string>()
  const sooner = 1 + random() * jitterShare

  async function look({ store, mend }: KeptGrant, again = false): Promise<Grant> {
    const known = memory.get(store.lockPath)
    const now = clock.monotonic()
    if (!again && known && now - known.checkedAt < recheckMs) return known.grant
    const version = await store.version()
    if (!again && known && version !== null && version === known.version) {
      known.checkedAt = now
      return known.grant
    }
    const grant = unsaved.get(store.lockPath) ?? await store.read()
    if (!grant) {
      memory.delete(store.lockPath)
      throw new GwError('credential.login_required', `no login in ${store.name}`, { hint: mend })
    }
    memory.set(store.lockPath, { grant, version, checkedAt: now })
    return grant
  }

  function remember(store: GrantStore, grant: Grant, version: string | null): void {
    memory.set(store.lockPath, { grant, version, checkedAt: clock.monotonic() })
  }

  function endsSoon(grant: Grant, vendor: Vendor): 'no' | 'soon' | 'now' {
    const now = clock.now()
    if (!grant.accessToken) return 'now'
    if (grant.expiresAt !== null) {
      const lifeMs = grant.refreshedAt === null ? Infinity : Math.max(0, grant.expiresAt - grant.refreshedAt)
      if (grant.expiresAt - now <= Math.min(lastMomentMs, lifeMs / 4)) return 'now'
      if (grant.expiresAt - now <= Math.min(aheadMs, lifeMs / 4) * sooner) return 'soon'
    }
    const old = vendor.maxAgeMs !== null && grant.refreshedAt !== null && now - grant.refreshedAt > vendor.maxAgeMs
    return old ? 'soon' : 'no'
  }

  const stillValid = (grant: Grant): boolean =>
    grant.accessToken !== null && (grant.expiresAt === null || grant.expiresAt > clock.now())

  async function fresh(kept: KeptGrant, { force = false, rejected }: ReadOptions = {}): Promise<Grant> {
    const found = await look(kept, force || rejected !== undefined)
    const grant = tidied.has(kept.store.lockPath) ? found : await tidy(kept, found)
    const refused = rejected !== undefined && grant.accessToken?.reveal() === rejected.reveal()
    // Somebody else already replaced the token that was refused: theirs is the answer.
    const must = refused || (force && rejected === undefined)
    const ends = must ? 'now' : endsSoon(grant, kept.vendor)
    if (ends === 'no') return grant
    if (!grant.refreshToken || !canRefresh(kept.vendor)) return withoutRefresh(kept, grant, must)
    if (ends === 'soon' && stillValid(grant)) {
      refresh(kept, grant, null).catch(() => {})
      return grant
    }
    try {
      return await refresh(kept, grant, must ? grant.accessToken : null)
    } catch (error) {
      // The network's fault is no reason to throw away a token that is good for a while yet.
      if (!must && isGwError(error) && error.code !== 'credential.login_required' && stillValid(grant)) return grant
      throw error
    }
  }

  function withoutRefresh({ store, vendor, mend }: KeptGrant, grant: Grant, must: boolean): Grant {
    if (!must && stillValid(grant)) return grant
    throw new GwError(
      'credential.login_required',
      `the login in ${store.name} is over, and ${vendor.name} gave nothing to renew it with`,
      {
        hint: mend,
      },
    )
  }

  /** One refresh per login in this process; everyone who asks meanwhile shares it. */
  function refresh(kept: KeptGrant, seen: Grant, refused: Secret | null): Promise<Grant> {
    const key = kept.store.lockPath
    const known = trouble.get(key)
    if (known && clock.monotonic() < known.until) return Promise.reject(known.error)
    return flight.run(key, async () => {
      try {
        const grant = await refreshAlone(kept, seen, refused)
        trouble.delete(key)
        return grant
      } catch (error) {
        if (isGwError(error)) noteTrouble(key, error)
        throw error
      }
    })
  }

  function noteTrouble(key: string, error: GwError): void {
    const failures = (trouble.get(key)?.failures ?? 0) + 1
    const waitMs = Math.max(
      Math.min(error.retryAfterMs ?? 0, 10 * longestBackoffMs),
      firstBackoffMs / 2 + backoffMs(failures - 1, firstBackoffMs, longestBackoffMs, random()),
    )
    trouble.set(key, { error, until: clock.monotonic() + waitMs, failures })
  }

  async function refreshAlone(kept: KeptGrant, seen: Grant, refused: Secret | null): Promise<Grant> {
    const { store } = kept
    const ledger = await take(kept)
    try {
      const found = unsaved.get(store.lockPath) ?? await store.read()
      if (!found) throw new GwError('credential.login_required', `no login in ${store.name}`, { hint: kept.mend })
      const current = await recover(kept, found, ledger)
      const version = await store.version()
      const good = current.accessToken?.reveal() !== refused?.reveal() && endsSoon(current, kept.vendor) === 'no'
      if (good && !sameTokens(current, seen)) {
        remember(store, current, version)
        return current
      }
      return await spend(kept, current, ledger)
    } finally {
      ledger.release()
    }
  }

  async function ledgerPath({ store }: KeptGrant): Promise<string> {
    const spare = store.spareLockPath
    return spare && await onReadOnlyMount(store.lockPath) ? spare : store.lockPath
  }

  async function take(kept: KeptGrant): Promise<Ledger> {
    return await takeLedger({ platform, clock, path: await ledgerPath(kept), waitMs: ledgerWaitMs, random })
  }

  /**
   * Writes what a holder that died had noted, also while the old token is still good: a program beside us that does not
   * know the note would spend the refresh token once more.
   */
  async function tidy(kept: KeptGrant, found: Grant): Promise<Grant> {
    const { store } = kept
    tidied.add(store.lockPath)
    if (!await hasRenewal({ platform, path: await ledgerPath(kept) })) return found
    const ledger = await take(kept)
    try {
      const current = await store.read()
      if (!current) return found
      const grant = await recover(kept, current, ledger)
      remember(store, grant, await store.version())
      return grant
    } finally {
      ledger.release()
    }
  }

  /** The login, after what a holder that died in the middle of a refresh had noted is written. */
  async function recover(kept: KeptGrant, found: Grant, ledger: Ledger): Promise<Grant> {
    const { renewal } = ledger
    if (!renewal || !found.refreshToken) return found
    const print = fingerprint(found.refreshToken)
    const opened = print === renewal.spent ? openRenewal(found.refreshToken, renewal) : null
    // The newest place may have it already, and another place of the same login not.
    const noted = opened ? newer(found, opened) : print === renewal.next ? found : null
    if (!noted) {
      // Somebody logged in again, or the tool beside us refreshed: what they wrote is the newer.
      ledger.clear()
      return found
    }
    if (await save(kept, noted, found)) ledger.clear()
    logger.log('info', 'credential.recovered', { vendor: kept.vendor.id, login: kept.store.name })
    return noted
  }

  /** Spends the refresh token of `grant`, holding the ledger; what comes back is on disk before anybody uses it. */
  async function spend(kept: KeptGrant, grant: Grant, ledger: Ledger, again = true): Promise<Grant> {
    const { store, vendor } = kept
    const token = grant.refreshToken
    if (!token) return withoutRefresh(kept, grant, true)
    const print = fingerprint(token)
    if (ledger.dead === print) throw dead(kept)
    await store.prepare()
    if (!ledger.admitCall(clock.now())) {
      throw new GwError('credential.refresh_failed', `${vendor.name}: too many refreshes of ${store.name} in 10 s`, {
        retryAfterMs: 10_000,
      })
    }
    let answer
    try {
      answer = await callRefresh(vendor, { ...grant, refreshToken: token }, options)
    } catch (error) {
      if (!isGwError(error) || !isFinal(error, vendor)) throw transient(error)
      // Another program may have refreshed it meanwhile: only the newest token's refusal counts.
      const newest = await store.read()
      if (newest && again && newest.refreshToken && newest.refreshToken.reveal() !== token.reveal()) {
        if (endsSoon(newest, vendor) === 'no') {
          remember(store, newest, await store.version())
          return newest
        }
        return await spend(kept, newest, ledger, false)
      }
      if (ledger.markDead(print)) {
        const { oauth } = error.details ?? {}
        logger.log('error', 'credential.dead', { vendor: vendor.id, login: store.name, reason: oauth, hint: kept.mend })
      }
      throw dead(kept, error)
    }
    const renewed = grantAfter(vendor, answer, clock.now(), grant)
    note(ledger, token, renewed)
    if (await save(kept, renewed, grant)) ledger.clear()
    logger.log('info', 'credential.refreshed', { vendor: vendor.id, login: store.name, expiresAt: renewed.expiresAt })
    return renewed
  }

  /** Before it is written where it belongs: that may take long, fail half-way, or be cut off. */
  function note(ledger: Ledger, spent: Secret, renewed: Grant): void {
    try {
      ledger.noteRenewal(sealRenewal(spent, renewed))
    } catch (error) {
      // A full disk: the login itself may lie on another, and it is what counts.
      logger.log('warn', 'credential.unnoted', { vendor: renewed.vendor, error })
    }
  }

  /** Writes what came of a refresh; whether it is on disk. */
  async function save(kept: KeptGrant, renewed: Grant, spent: Grant): Promise<boolean> {
    const { store, vendor } = kept
    let written = true
    try {
      await store.write(renewed)
      unsaved.delete(store.lockPath)
    } catch (error) {
      const rescued = await store.rescue?.(renewed).then(() => true, () => false) ?? false
      if (rescued) unsaved.delete(store.lockPath)
      else unsaved.set(store.lockPath, renewed)
      written = rescued
      const event = rescued ? 'credential.rescued' : 'credential.unsaved'
      logger.log(rescued ? 'warn' : 'error', event, { vendor: vendor.id, login: store.name, error })
    }
    remember(store, renewed, await store.version().catch(() => null))
    for (const copy of options.copies?.(kept) ?? []) {
      try {
        const theirs = await copy.read()
        const same = theirs?.refreshToken && theirs.refreshToken.reveal() === spent.refreshToken?.reveal()
        if (same) await copy.write(renewed)
      } catch (error) {
        logger.log('warn', 'credential.copy_stale', { vendor: vendor.id, login: copy.name, error })
      }
    }
    return written
  }

  function forget(store: GrantStore): void {
    memory.delete(store.lockPath)
    trouble.delete(store.lockPath)
    unsaved.delete(store.lockPath)
  }

  return {
    fresh,
    async tend(kept) {
      try {
        const grant = await tidy(kept, await look(kept, true))
        if (!grant.refreshToken || !canRefresh(kept.vendor) || endsSoon(grant, kept.vendor) === 'no') return false
        const after = await refresh(kept, grant, null)
        return !sameTokens(grant, after)
      } catch {
        // Said where it happened; the next round tries again under its own back-off.
        return false
      }
    },
    async alone(kept, work) {
      const ledger = await take(kept)
      try {
        const result = await work()
        ledger.clear()
        return result
      } finally {
        ledger.release()
        forget(kept.store)
      }
    },
  }
}

function dead({ vendor, store, mend }: KeptGrant, cause?: GwError): GwError {
  return new GwError('credential.login_required', `${vendor.name} no longer accepts the login in ${store.name}`, {
    hint: mend,
    ...(cause ? { cause, details: { reason: cause.details?.oauth } } : {}),
  })
}
