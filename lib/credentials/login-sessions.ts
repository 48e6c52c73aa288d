import { type Clock, GwError, isGwError, type Logger, newId, Secret } from '../base/mod.ts'
import type { Platform } from '../platform/mod.ts'
import type { SecretStore } from '../secrets/mod.ts'
import { type Attempt, authorizationUrl, newAttempt, readCallback, readPasted } from './flows/authorize.ts'
import { beginDevice, type DeviceLogin, pollDevice } from './flows/device.ts'
import { exchangeCode, type ExchangeContext } from './flows/exchange-code.ts'
import { withClient } from './flows/register.ts'
import { type Loopback, openLoopback } from './flows/loopback.ts'
import { type Grant, grantIdentity } from './grants/grant.ts'
import type { KeptGrant } from './grants/keeper.ts'
import type { LoginInfo, LoginPlace, Logins } from './logins.ts'
import type { Fetch } from './sources/source.ts'
import type { Vendor } from './vendors/vendor.ts'

/** How a person logs in: a browser on this machine, a code on another device, or by pasting the redirect. */
export type LoginMethod = 'browser' | 'device' | 'paste'

/** What to log in to. */
export interface BeginLogin extends LoginPlace {
  readonly vendor: string
  readonly method: LoginMethod
  readonly scopes?: readonly string[]
  readonly loginHint?: string
  /** Parameters for this one authorization request, such as `allowed_workspace_id`. */
  readonly parameters?: Readonly<Record<string, string>>
  /** Whether a login of somebody else may be replaced. */
  readonly replace?: boolean
  /** How long the page may take; 10 minutes when absent. A device code has its own end. */
  readonly waitMs?: number
}

/** A login under way. Holds nothing secret: `url` carries only public parameters. */
export interface LoginSession {
  readonly id: string
  readonly vendor: string
  readonly method: LoginMethod
  /** The page to open. */
  readonly url: string
  /** The code to enter there; device logins only. */
  readonly userCode: string | null
  /** How often asking makes sense. */
  readonly intervalMs: number
  /** Epoch ms. */
  readonly expiresAt: number
}

/** How a login stands. */
export type LoginState =
  | { readonly state: 'pending'; readonly session: LoginSession }
  | { readonly state: 'done'; readonly session: LoginSession; readonly login: LoginInfo }
  | { readonly state: 'failed'; readonly session: LoginSession; readonly error: GwError }

/** Logins under way: durable, so that one process may begin what another completes. */
export interface LoginSessions {
  begin(input: BeginLogin): Promise<LoginSession>
  /** How it stands; asks the vendor when a device login is due. @throws GwError `request.not_found` */
  poll(id: string): Promise<LoginState>
  /** Whether {@link LoginSessions.poll} would now only say that a person is waited for. */
  waits(id: string): Promise<boolean>
  /** Finishes it with what a person pasted; a wrong paste leaves it pending. */
  complete(id: string, pasted: string): Promise<LoginState>
  /** Waits until it is over. @throws the login's own error; `login.timeout`; `cancelled` */
  wait(id: string, signal?: AbortSignal): Promise<LoginInfo>
  cancel(id: string): Promise<void>
  /** Closes every listener. */
  close(): Promise<void>
}

/** What {@link createLoginSessions} needs. */
export interface LoginSessionsOptions {
  readonly platform: Platform
  readonly clock: Clock
  readonly fetch: Fetch
  readonly logger: Logger
  readonly secrets: SecretStore
  readonly logins: Logins
}

/** What is kept of a session, sealed. */
interface Kept {
  readonly session: LoginSession
  readonly place: LoginPlace
  readonly replace: boolean
  readonly attempt: Attempt | null
  readonly device: DeviceLogin | null
  readonly nextPollAt: number
  readonly outcome:
    | { readonly code: GwError['code']; readonly message: string; readonly hint: string | null }
    | 'done'
    | null
}

const prefix = 'login/'
const lifeMs = 10 * 60_000
/** How long an outcome can still be asked for. */
const afterlifeMs = 10 * 60_000
const pollMs = 500

/** Makes {@link LoginSessions}. */
export function createLoginSessions(options: LoginSessionsOptions): LoginSessions {
  const { platform, clock, secrets, logins, logger } = options
  const context: ExchangeContext = {
    fetch: options.fetch,
    clock,
    discovery: logins.discovery,
    clientSecret: (vendor) => logins.vendors().clientSecret(vendor),
  }
  const listeners = new Map<string, Loopback>()

  async function load(id: string): Promise<Kept> {
    const known = /^log_[0-9a-z]{10,40}$/.test(id) ? await secrets.get(prefix + id) : null
    if (!known) throw new GwError('request.not_found', `no login ${id} is under way`, { hint: 'gw auth login' })
    return JSON.parse(known.reveal()) as Kept
  }

  const keep = (kept: Kept): Promise<void> => secrets.put(prefix + kept.session.id, new Secret(JSON.stringify(kept)))

  async function endpoints(id: string, parameters: Readonly<Record<string, string>> = {}): Promise<Vendor> {
    const vendor = await withClient(await logins.discovery.endpointsOf(logins.vendors().get(id)), secrets, context)
    return { ...vendor, authorizeParams: { ...vendor.authorizeParams, ...parameters } }
  }

  async function begin(input: BeginLogin): Promise<LoginSession> {
    await sweep()
    const vendor = await endpoints(input.vendor, input.parameters)
    // What would fail at the end fails now: a bad name, a missing client id or secret.
    logins.own(vendor.id, input)
    logins.vendors().clientSecret(vendor)
    const id = newId<string>('log', clock.now())
    const place: LoginPlace = { binding: input.binding ?? null, file: input.file ?? null }
    const base = { place, replace: input.replace ?? false, outcome: null }
    const { session, attempt, device } = input.method === 'device'
      ? await beginWithDevice(id, vendor, input)
      : await beginWithPage(id, vendor, input)
    try {
      await keep({ ...base, session, attempt, device, nextPollAt: clock.now() + session.intervalMs })
    } catch (error) {
      await closeListener(id)
      throw error
    }
    return session
  }

  async function beginWithDevice(id: string, vendor: Vendor, input: BeginLogin) {
    const device = await beginDevice(vendor, input.scopes ?? vendor.scopes, context)
    const { verifyUrl: url, userCode, intervalMs, expiresAt } = device
    const session: LoginSession = { id, vendor: vendor.id, method: 'device', url, userCode, intervalMs, expiresAt }
    return { session, attempt: null, device }
  }

  async function beginWithPage(id: string, vendor: Vendor, input: BeginLogin) {
    const { redirect } = vendor
    const extras = {
      ...(input.scopes ? { scopes: input.scopes } : {}),
      ...(input.loginHint ? { loginHint: input.loginHint } : {}),
    }
    const pasteUri = redirect.hosted ??
      `http://${redirect.host}${redirect.ports[0] ? `:${redirect.ports[0]}` : ''}${redirect.path}`
    // A vendor without a page fails before a port is opened.
    await authorizationUrl(vendor, newAttempt(pasteUri), extras)
    let redirectUri = pasteUri
    if (input.method === 'browser') {
      const loopback = await openLoopback({
        platform,
        redirect,
        onCallback: (parameters) => arrived(id, parameters),
        onCancel: () => void cancel(id).catch(() => {}),
      })
      listeners.set(id, loopback)
      redirectUri = loopback.redirectUri
    }
    const attempt = newAttempt(redirectUri)
    const url = await authorizationUrl(vendor, attempt, extras)
    const session: LoginSession = {
      id,
      vendor: vendor.id,
      method: input.method,
      url: url.href,
      userCode: null,
      intervalMs: pollMs,
      expiresAt: clock.now() + Math.min(input.waitMs ?? lifeMs, lifeMs),
    }
    return { session, attempt, device: null }
  }

  async function arrived(id: string, parameters: URLSearchParams): Promise<'done' | 'failed' | 'ignored'> {
    const kept = await load(id).catch(() => null)
    if (!kept?.attempt || kept.outcome) return 'ignored'
    const vendor = await endpoints(kept.session.vendor)
    const callback = readCallback(vendor, kept.attempt, parameters)
    if (callback.type === 'foreign') return 'ignored'
    const state = await settle(
      kept,
      () =>
        callback.type === 'refused' ? Promise.reject(callback.error) : exchange(vendor, kept.attempt!, callback.code),
    )
    // The browser still waits for its page: the listener closes right after it.
    setTimeout(() => void closeListener(id), 250)
    return state.state === 'done' ? 'done' : 'failed'
  }

  const exchange = (vendor: Vendor, { verifier, redirectUri, state, nonce }: Attempt, code: string): Promise<Grant> =>
    exchangeCode(vendor, { code, verifier: vendor.pkce ? verifier : null, redirectUri, state, nonce }, context)

  /** Runs the last step and notes how it ended; what was stored before is touched only by success. */
  async function settle(kept: Kept, obtain: () => Promise<Grant>): Promise<LoginState> {
    const { session } = kept
    const target = logins.own(session.vendor, kept.place)
    try {
      const grant = await obtain()
      await refuseOther(target, grant, kept.replace)
      await logins.save(target, grant)
      await keep({ ...kept, outcome: 'done' })
      logger.log('info', 'login.done', { vendor: session.vendor, login: target.store.name })
      return { state: 'done', session, login: await logins.inspect(target) }
    } catch (caught) {
      const error = isGwError(caught)
        ? caught
        : new GwError('login.failed', 'the login could not be finished', { cause: caught })
      const { code, message, hint } = error
      await keep({ ...kept, outcome: { code, message, hint: hint ?? null } })
      logger.log('warn', 'login.failed', { vendor: session.vendor, error })
      return { state: 'failed', session, error }
    }
  }

  async function refuseOther(target: KeptGrant, grant: Grant, replace: boolean): Promise<void> {
    const before = replace ? null : await target.store.read().catch(() => null)
    const [old, fresh] = [before && grantIdentity(before), grantIdentity(grant)]
    const named = before && (before.identity.accountId || before.identity.userId || before.identity.email)
    if (!named || !old || old === fresh) return
    throw new GwError('request.conflict', `${target.store.name} holds the login of somebody else`, {
      hint: 'keep both with --binding NAME, or replace it with --replace',
    })
  }

  async function poll(id: string): Promise<LoginState> {
    const kept = await load(id)
    const { session, outcome } = kept
    if (outcome === 'done') {
      return { state: 'done', session, login: await logins.inspect(logins.own(session.vendor, kept.place)) }
    }
    if (outcome) {
      const error = new GwError(outcome.code, outcome.message, outcome.hint ? { hint: outcome.hint } : {})
      return { state: 'failed', session, error }
    }
    if (clock.now() >= session.expiresAt) {
      await closeListener(id)
      return await settle(kept, () =>
        Promise.reject(
          new GwError('login.timeout', 'nobody came back from the login page in time', {
            hint: 'start the login again',
          }),
        ))
    }
    return kept.device && clock.now() >= kept.nextPollAt
      ? await pollOnce(kept, kept.device)
      : { state: 'pending', session }
  }

  async function waits(id: string): Promise<boolean> {
    const { session, outcome, device, nextPollAt } = await load(id)
    return outcome === null && clock.now() < session.expiresAt && !(device && clock.now() >= nextPollAt)
  }

  async function pollOnce(kept: Kept, device: DeviceLogin): Promise<LoginState> {
    const vendor = await endpoints(kept.session.vendor)
    try {
      const answer = await pollDevice(vendor, device, context)
      if (answer.type === 'done') return await settle(kept, () => Promise.resolve(answer.grant))
      const { intervalMs } = answer
      const session = { ...kept.session, intervalMs }
      await keep({ ...kept, session, device: { ...device, intervalMs }, nextPollAt: clock.now() + intervalMs })
      return { state: 'pending', session }
    } catch (error) {
      return await settle(kept, () => Promise.reject(error))
    }
  }

  async function complete(id: string, pasted: string): Promise<LoginState> {
    const kept = await load(id)
    if (kept.outcome || !kept.attempt) return await poll(id)
    const vendor = await endpoints(kept.session.vendor)
    const callback = readCallback(vendor, kept.attempt, readPasted(pasted))
    if (callback.type === 'foreign') {
      throw new GwError('request.invalid', 'this answer belongs to another login', {
        hint: 'open the address that this login printed, and paste what that page ends with',
        param: 'pasted',
      })
    }
    await closeListener(id)
    return await settle(
      kept,
      () =>
        callback.type === 'refused' ? Promise.reject(callback.error) : exchange(vendor, kept.attempt!, callback.code),
    )
  }

  async function wait(id: string, signal?: AbortSignal): Promise<LoginInfo> {
    for (;;) {
      if (signal?.aborted) {
        await cancel(id)
        throw new GwError('cancelled', 'the login was cancelled')
      }
      const state = await poll(id)
      if (state.state === 'done') return state.login
      if (state.state === 'failed') throw state.error
      await clock.sleep(Math.min(state.session.intervalMs, pollMs), signal).catch(() => {})
    }
  }

  async function cancel(id: string): Promise<void> {
    await closeListener(id)
    const kept = await load(id)
    if (kept.outcome) return
    await keep({ ...kept, outcome: { code: 'cancelled', message: 'the login was cancelled', hint: null } })
  }

  async function closeListener(id: string): Promise<void> {
    const listener = listeners.get(id)
    listeners.delete(id)
    await listener?.close()
  }

  /** Forgets sessions that nobody can ask for any more. */
  async function sweep(): Promise<void> {
    for (const info of await secrets.list(prefix)) {
      if (info.updatedAt + lifeMs + afterlifeMs + 3_600_000 < clock.now()) await secrets.delete(info.ref)
    }
  }

  return {
    begin,
    poll,
    waits,
    complete,
    wait,
    cancel,
    async close() {
      for (const id of [...listeners.keys()]) await closeListener(id)
    },
  }
}
