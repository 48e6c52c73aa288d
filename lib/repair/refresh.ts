import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { GwError, isGwError, isObject, readHead, Secret } from '../base/mod.ts'
import { readBounded, writeAtomic } from '../platform/mod.ts'
import { writebackFor } from './admission.ts'
import type { RepairContext } from './context.ts'
import { isExpired, parseCredential, type StoredCredential, valueAt } from './credential.ts'
import type { ProviderDefinition } from './definition/schema.ts'
import type { EventOutcome } from './events.ts'
import { accountKey, type RouteAccount } from './inventory/inventory.ts'
import { maxSecretBytes } from './inventory/secret.ts'
import { expandHome } from './runtime.ts'

/** How a refresh ended. */
export interface RefreshReport {
  readonly ok: boolean
  readonly provider: string
  readonly account: string
  readonly outcome: EventOutcome
  readonly reason: string
  /** Whether a token endpoint was asked. */
  readonly executed: boolean
}

const tokenTimeoutMs = 30_000
const leaseMs = 60_000
const maxAnswerBytes = 256 * 1024

/**
 * Refreshes the credential of an account, where that is ours to do.
 *
 * One writer per credential across processes: the lease is named after the file itself, so two accounts over one file
 * share it. Under it the file is read again; what another process already rotated is adopted. The new token is on disk
 * before the lease ends. Members of the file that nobody here knows survive. Trouble of the token endpoint or of this
 * machine never marks anything dead; a refusal of the newest token does, once, and that token is not sent again.
 */
export async function refreshAccount(context: RepairContext, account: RouteAccount): Promise<RefreshReport> {
  const writeback = writebackFor(account.definition.repair.owner, account.backend)
  const done = async (outcome: EventOutcome, reason: string, executed: boolean): Promise<RefreshReport> => {
    const ok = outcome === 'refreshed' || outcome === 'concurrent_rotation_detected'
    await context.events.append({
      kind: 'token_refresh',
      outcome,
      reason,
      ok,
      executed,
      mutating: true,
      provider: account.provider,
      account: account.account,
      action: 'refresh',
      writeback_capability: writeback.capability,
      automatic_refresh_admitted: writeback.automatic_refresh_admitted,
    })
    return { ok, provider: account.provider, account: account.account, outcome, reason, executed }
  }
  if (!writeback.automatic_refresh_admitted) return await done('not_admitted', writeback.reason, false)
  if (account.relay) return await renewOwn(context, account, done)
  const endpoint = account.definition.auth.token_endpoint
  if (!endpoint) return await done('no_token_endpoint', 'its definition names no token endpoint', false)
  const secret = account.secret
  if (secret?.backend !== 'file') return await done('not_admitted', 'secret_backend_invalid', false)
  const path = expandHome(secret.path, context.env)
  const real = await realpath(path).catch(() => path)
  const before = await readDocument(real, account.definition, context.clock.now()).catch(() => null)
  if (!before) return await done('transient_store', 'credential_unreadable', false)
  const lease = await context.storage.lease(`refresh:${hash(real)}`, leaseMs)
  if (!lease) return await done('transient_lock', 'another process refreshes it', false)
  try {
    return await underLease(context, account, { endpoint, path: real, seen: before.credential }, done)
  } finally {
    await lease.release()
  }
}

type Done = (outcome: EventOutcome, reason: string, executed: boolean) => Promise<RefreshReport>

async function renewOwn(context: RepairContext, account: RouteAccount, done: Done): Promise<RefreshReport> {
  if (!context.relay) return await done('not_admitted', 'account_not_configured', false)
  try {
    const { identity, expiresAt } = await context.relay.lease(account, { force: true })
    if (identity !== null) await rememberIdentity(context, account, { identity, expiresAt })
  } catch (error) {
    if (isGwError(error) && error.code === 'credential.login_required') {
      context.board.lost(account.provider, account.account, 'auth_permanently_failed')
      return await done('hard_lineage_invalidated', 'login_required', true)
    }
    return await done('transient_endpoint', isGwError(error) ? error.code : 'internal', true)
  }
  context.board.refreshed(account.provider, account.account)
  return await done('refreshed', 'refreshed', true)
}

async function underLease(
  context: RepairContext,
  account: RouteAccount,
  { endpoint, path, seen }: { endpoint: string; path: string; seen: StoredCredential },
  done: Done,
): Promise<RefreshReport> {
  const { definition } = account
  const now = () => context.clock.now()
  const current = await readDocument(path, definition, now()).catch(() => null)
  if (!current) return await done('transient_store', 'credential_unreadable', false)
  const { credential, document } = current
  if (credential.accessToken.reveal() !== seen.accessToken.reveal() && !isExpired(credential, now())) {
    context.board.refreshed(account.provider, account.account)
    return await done('concurrent_rotation_detected', 'another process had refreshed it', false)
  }
  if (!credential.refreshToken) return await done('credential_build_failed', 'it holds no refresh token', false)
  const quarantine = `repair.quarantine.${hash(credential.refreshToken.reveal())}`
  const known = await context.storage.db.selectFrom('facts').select('value').where('key', '=', quarantine)
    .executeTakeFirst()
  if (known) return await done('hard_lineage_invalidated', 'this token was refused before: it needs a new login', false)

  const answer = await ask(context, endpoint, credential.refreshToken, definition)
  if (answer.is === 'transient') return await done(answer.outcome, answer.reason, true)
  if (answer.is === 'refused') {
    // The newest token on disk is what counts: another program may have rotated it while we asked.
    const again = await readDocument(path, definition, now()).catch(() => null)
    if (again?.credential.refreshToken && again.credential.refreshToken.reveal() !== credential.refreshToken.reveal()) {
      context.board.refreshed(account.provider, account.account)
      return await done('concurrent_rotation_detected', 'another program had rotated it', true)
    }
    await context.storage.write((tx) =>
      tx.insertInto('facts').values({ key: quarantine, value: '{}', updated_ms: now() })
        .onConflict((at) => at.column('key').doUpdateSet({ updated_ms: now() })).execute()
    )
    context.board.lost(account.provider, account.account, 'auth_permanently_failed')
    return await done('hard_lineage_invalidated', answer.reason, true)
  }
  if (definition.repair.refresh_token_response === 'require_rotated' && !answer.refreshToken) {
    return await done('credential_build_failed', 'the answer rotated no refresh token', true)
  }
  const next = merge(document, definition, answer, credential.refreshToken, now())
  try {
    await writeAtomic(path, `${JSON.stringify(next, null, 2)}\n`)
  } catch {
    return await done('writeback_failed', 'the credential file cannot be written', true)
  }
  context.board.refreshed(account.provider, account.account)
  await rememberIdentity(context, account, parseCredential(new Secret(JSON.stringify(next)), definition, now()))
  return await done('refreshed', 'refreshed', true)
}

interface Granted {
  readonly is: 'granted'
  readonly accessToken: Secret
  readonly refreshToken: Secret | null
  readonly expiresInMs: number | null
}

type TokenAnswer =
  | Granted
  | { readonly is: 'refused'; readonly reason: string }
  | { readonly is: 'transient'; readonly outcome: EventOutcome; readonly reason: string }

async function ask(
  { fetch, clock }: RepairContext,
  endpoint: string,
  refreshToken: Secret,
  definition: ProviderDefinition,
): Promise<TokenAnswer> {
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken.reveal() })
  if (definition.auth.client_id) body.set('client_id', definition.auth.client_id)
  const stop = new AbortController()
  const timer = clock.sleep(tokenTimeoutMs, stop.signal).then(() => stop.abort(), () => {})
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: body.toString(),
      redirect: 'manual',
      signal: stop.signal,
    })
    // One that is cut is no JSON, and so no answer.
    return tokenAnswer(response.status, readAnswer(await readHead(response, maxAnswerBytes)))
  } catch (error) {
    const reason = isGwError(error) ? error.code : 'unreachable'
    return { is: 'transient', outcome: 'transient_network', reason }
  } finally {
    stop.abort()
    await timer
  }
}

function tokenAnswer(status: number, answer: Record<string, unknown> | null): TokenAnswer {
  if (status >= 200 && status < 300 && answer) {
    const access = answer.access_token
    if (typeof access !== 'string' || access === '') {
      return { is: 'transient', outcome: 'transient_endpoint', reason: 'the answer holds no access token' }
    }
    const { refresh_token: refresh, expires_in } = answer
    const within = Number(expires_in)
    return {
      is: 'granted',
      accessToken: new Secret(access),
      refreshToken: typeof refresh === 'string' && refresh !== '' ? new Secret(refresh) : null,
      expiresInMs: Number.isFinite(within) && within > 0 ? within * 1000 : null,
    }
  }
  // RFC 6749 §5.2: only these say that the grant itself is over. 429, 5xx and silence say nothing about it.
  const error = answer?.error
  if ((status === 400 || status === 401) && (error === 'invalid_grant' || error === 'invalid_token')) {
    return { is: 'refused', reason: error }
  }
  return { is: 'transient', outcome: 'token_endpoint_failed', reason: `status_${status}` }
}

function readAnswer(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

async function readDocument(
  path: string,
  definition: ProviderDefinition,
  now: number,
): Promise<{ document: Record<string, unknown>; credential: StoredCredential }> {
  const text = await readBounded(path, maxSecretBytes)
  const document: unknown = JSON.parse(text ?? '')
  if (!isObject(document)) throw new GwError('credential.unavailable', 'the credential file holds no JSON object')
  return { document, credential: parseCredential(new Secret(text!), definition, now) }
}

/** The document with the new tokens in their places and everything else as it was. */
function merge(
  document: Record<string, unknown>,
  { credential }: ProviderDefinition,
  granted: Granted,
  submitted: Secret,
  now: number,
): Record<string, unknown> {
  const next = structuredClone(document)
  const wrapped = credential.wrapper_key !== undefined && isObject(next[credential.wrapper_key])
  const root = (wrapped ? next[credential.wrapper_key!] : next) as Record<string, unknown>
  put(root, credential.access_token_path, granted.accessToken.reveal())
  put(root, credential.refresh_token_path, (granted.refreshToken ?? submitted).reveal())
  if (granted.expiresInMs !== null) {
    if (credential.expires_at_path) {
      const before = valueAt(root, credential.expires_at_path)
      const at = now + granted.expiresInMs
      // In the unit and shape that its other reader expects.
      const value = typeof before === 'string' && !/^\d+$/.test(before)
        ? new Date(at).toISOString()
        : Number(before) > 1e11
        ? at
        : Math.floor(at / 1000)
      put(root, credential.expires_at_path, value)
    }
    if (credential.expires_in_path) put(root, credential.expires_in_path, Math.floor(granted.expiresInMs / 1000))
  }
  return next
}

function put(root: Record<string, unknown>, path: string, value: unknown): void {
  const steps = path.split('.')
  const last = steps.pop()!
  let at = root
  for (const step of steps) {
    if (!isObject(at[step])) at[step] = {}
    at = at[step] as Record<string, unknown>
  }
  at[last] = value
}

const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32)

/** Keeps whose account it is, and when its token ends, for planning: a hash and a time. */
export async function rememberIdentity(
  { storage, clock }: Pick<RepairContext, 'storage' | 'clock'>,
  account: RouteAccount,
  { identity, expiresAt }: { readonly identity: string; readonly expiresAt: number | null },
): Promise<void> {
  const values = { account: accountKey(account), identity, expires_ms: expiresAt, seen_ms: clock.now() }
  await storage.write((tx) =>
    tx.insertInto('repair_identities').values(values).onConflict((at) => at.column('account').doUpdateSet(values))
      .execute()
  )
}
