import { createHash } from 'node:crypto'
import { isGwError } from '../base/mod.ts'
import { admit } from './admission.ts'
import type { RepairContext } from './context.ts'
import { loadCredential } from './credential.ts'
import { settleAccount } from './hand-over.ts'
import { accountKey, policyFor, type RouteAccount } from './inventory/inventory.ts'

/**
 * How the credential of an account may be looked at without anybody asking. `loud`: a program runs for it, or the
 * system's keychain is asked, and both may ask a person; so it is looked at rarely, and where the policy admits programs.
 */
type Manner = 'quiet' | 'loud' | 'never'

const loudBackends: readonly (string | null)[] = ['command', 'keychain', 'sops', 'age']

function mannerOf({ backend, relay, secret }: RouteAccount): Manner {
  // Standard input can be read only once; what another program keeps is that program's.
  if (backend === 'stdin' || (!relay && secret === null)) return 'never'
  return loudBackends.includes(backend) ? 'loud' : 'quiet'
}

/** How long after the death of an account its loud credential is first looked at; each later wait is twice as long. */
const firstLookMs = 5 * 60_000
const longestWaitMs = 60 * 60_000
/** How long a look waits for what it runs, whatever that program's own deadline is. */
const lookLimitMs = 60_000

const diedPrefix = 'repair.died.'
const lookedPrefix = 'repair.looked.'
const leasePrefix = 'repair.look:'
/** Stands for the credential of an account that has none that can be used. */
const nothing = 'none'

/** Whether it takes a program or the keychain to tell the credential of an account: nobody should wait for that. */
export function isLoud(context: RepairContext, key: string): boolean {
  const account = accountOf(context, key)
  return account !== undefined && mannerOf(account) === 'loud'
}

/**
 * Keeps with which credential an account died: whatever stands in its place later is another one, and has not been
 * refused yet.
 *
 * @param signal ends the wait for a program that is running
 */
export async function mourn(context: RepairContext, key: string, signal: AbortSignal): Promise<void> {
  const account = accountOf(context, key)
  if (!account || mannerOf(account) === 'never') return
  if (mannerOf(account) === 'loud') {
    if (!mayRun(context, account)) return
    await forget(context, lookedPrefix + key)
  }
  const print = await within(context, signal, printOf(context, account))
  if (print !== null) await remember(context, diedPrefix + key, print)
}

const accountOf = (context: RepairContext, key: string): RouteAccount | undefined =>
  context.inventory().accounts.find((one) => accountKey(one) === key)

/**
 * Brings back the accounts whose credential is no longer the one that they died with: somebody logged in again, or
 * replaced a key. Their handoffs are done. Runs no program and asks nobody.
 *
 * @returns how many came back
 */
export async function raise(context: RepairContext): Promise<number> {
  let risen = 0
  for (const account of deadOf(context, 'quiet')) {
    if (await raiseIfReplaced(context, account, await printOf(context, account))) risen++
  }
  return risen
}

/**
 * {@link raise} for accounts whose credential a program or the keychain gives: each is looked at five minutes after it
 * died, then after waits that double up to an hour, by one process of the home, where the policy lets programs run unasked.
 *
 * @param signal ends the wait for a program that is running
 */
export async function raiseLoud(context: RepairContext, signal: AbortSignal): Promise<number> {
  let risen = 0
  for (const account of deadOf(context, 'loud')) {
    if (signal.aborted) break
    if (!mayRun(context, account) || await looksDue(context, account) === null) continue
    const lease = await context.storage.lease(leasePrefix + accountKey(account), 2 * lookLimitMs)
    if (lease === null) continue
    try {
      if (await lookOnce(context, account, signal)) risen++
    } finally {
      await lease.release()
    }
  }
  return risen
}

async function lookOnce(context: RepairContext, account: RouteAccount, signal: AbortSignal): Promise<boolean> {
  // Another process may have looked just before the lease came free.
  const looks = await looksDue(context, account)
  if (looks === null) return false
  // Written first: a look that ends this process is not made again at once by the next.
  await remember(context, lookedPrefix + accountKey(account), String(looks + 1))
  return await raiseIfReplaced(context, account, await within(context, signal, printOf(context, account, true)))
}

/** How often a dead account was looked at before; `null` while it is too early for another time. */
async function looksDue(context: RepairContext, account: RouteAccount): Promise<number | null> {
  const key = accountKey(account)
  const looked = await read(context, lookedPrefix + key)
  const last = looked ?? await read(context, diedPrefix + key)
  const looks = Number(looked?.value ?? 0)
  const due = (last?.updated_ms ?? -Infinity) + Math.min(firstLookMs * 2 ** looks, longestWaitMs)
  return context.clock.now() < due ? null : looks
}

/** Whether the policy lets a program run for an account although nobody asked. */
function mayRun(context: RepairContext, { provider }: RouteAccount): boolean {
  const step = { kind: 'probe', budget: 'free_command', interactive: false, mutating: false } as const
  return admit(step, policyFor(context.inventory().policy, provider)).admitted
}

const deadOf = (context: RepairContext, manner: Manner): readonly RouteAccount[] =>
  context.inventory().accounts.filter((account) =>
    mannerOf(account) === manner && context.board.get(accountKey(account) as never)?.liveness.state === 'dead'
  )

/** @param print of the credential that stands there now; `null` when it cannot be told */
async function raiseIfReplaced(context: RepairContext, account: RouteAccount, print: string | null): Promise<boolean> {
  if (print === null) return false
  const key = accountKey(account)
  const died = await read(context, diedPrefix + key)
  if (!died) await remember(context, diedPrefix + key, print)
  if (!died || print === nothing || print === died.value) return false
  context.board.refreshed(account.provider, account.account)
  await forget(context, diedPrefix + key)
  await forget(context, lookedPrefix + key)
  context.logger.log('info', 'repair.credential_replaced', { account: key })
  await settleAccount(context, account)
  return true
}

/**
 * What tells one credential from another, without the credential; `null` when it cannot be told now.
 *
 * @param force ask for it anew, rather than take what was read a while ago
 */
async function printOf(context: RepairContext, account: RouteAccount, force = false): Promise<string | null> {
  try {
    const token = account.relay
      ? (await context.relay?.lease(account, { force }))?.token
      : (await loadCredential(account, context, context.clock.now())).accessToken
    return token ? createHash('sha256').update(token.reveal()).digest('hex').slice(0, 32) : null
  } catch (error) {
    return isGwError(error) && error.code === 'credential.login_required' ? nothing : null
  }
}

/** What a reading comes to, `null` when it takes too long or nobody waits for it any more. */
async function within<T>({ clock }: RepairContext, signal: AbortSignal, work: Promise<T>): Promise<T | null> {
  const done = new AbortController()
  const late = clock.sleep(lookLimitMs, AbortSignal.any([signal, done.signal])).then(() => null, () => null)
  return await Promise.race([work, late]).finally(() => done.abort())
}

const read = ({ storage }: RepairContext, key: string) =>
  storage.db.selectFrom('facts').select(['value', 'updated_ms']).where('key', '=', key).executeTakeFirst()

async function forget({ storage }: RepairContext, key: string): Promise<void> {
  await storage.write((tx) => tx.deleteFrom('facts').where('key', '=', key).execute())
}

async function remember({ storage, clock }: RepairContext, key: string, value: string): Promise<void> {
  const row = { value, updated_ms: clock.now() }
  await storage.write((tx) =>
    tx.insertInto('facts').values({ key, ...row }).onConflict((at) => at.column('key').doUpdateSet(row)).execute()
  )
}
