import { createHash } from 'node:crypto'
import { isGwError } from '../base/mod.ts'
import type { RepairContext } from './context.ts'
import { loadCredential } from './credential.ts'
import { settleAccount } from './hand-over.ts'
import { accountKey, type RouteAccount } from './inventory/inventory.ts'

/** Backends that run a program, ask somebody, or can be read only once: those are not looked at by themselves. */
const loud: readonly (string | null)[] = ['command', 'keychain', 'sops', 'age', 'stdin']
const isQuiet = ({ backend, relay, secret }: RouteAccount): boolean =>
  !loud.includes(backend) && (relay || secret !== null)
const rowPrefix = 'repair.died.'
/** Stands for the credential of an account that has none that can be used. */
const nothing = 'none'

/**
 * Keeps with which credential an account died: whatever stands in its place later is another one, and has not been
 * refused yet.
 */
export async function mourn(context: RepairContext, key: string): Promise<void> {
  const account = context.inventory().accounts.find((one) => accountKey(one) === key)
  const print = account ? await printOf(context, account) : null
  if (print !== null) await remember(context, key, print)
}

/**
 * Brings back the accounts whose credential is no longer the one that they died with: somebody logged in again, or
 * replaced a key. Their handoffs are done.
 *
 * @returns how many came back
 */
export async function raise(context: RepairContext): Promise<number> {
  const dead = context.inventory().accounts.filter((account) =>
    isQuiet(account) && context.board.get(accountKey(account) as never)?.liveness.state === 'dead'
  )
  let risen = 0
  for (const account of dead) {
    const key = accountKey(account)
    const row = await context.storage.db.selectFrom('facts').select('value').where('key', '=', rowPrefix + key)
      .executeTakeFirst()
    const print = await printOf(context, account)
    if (print === null) continue
    if (!row) {
      await remember(context, key, print)
      continue
    }
    if (print === nothing || print === row.value) continue
    context.board.refreshed(account.provider, account.account)
    await context.storage.write((tx) => tx.deleteFrom('facts').where('key', '=', rowPrefix + key).execute())
    context.logger.log('info', 'repair.credential_replaced', { account: key })
    await settleAccount(context, account)
    risen++
  }
  return risen
}

/** What tells one credential from another, without the credential; `null` when it cannot be told now. */
async function printOf(context: RepairContext, account: RouteAccount): Promise<string | null> {
  if (!isQuiet(account)) return null
  try {
    const token = account.relay
      ? (await context.relay?.lease(account))?.token
      : (await loadCredential(account, context, context.clock.now())).accessToken
    return token ? createHash('sha256').update(token.reveal()).digest('hex').slice(0, 32) : null
  } catch (error) {
    return isGwError(error) && error.code === 'credential.login_required' ? nothing : null
  }
}

async function remember({ storage, clock }: RepairContext, key: string, print: string): Promise<void> {
  const row = { value: print, updated_ms: clock.now() }
  await storage.write((tx) =>
    tx.insertInto('facts').values({ key: rowPrefix + key, ...row })
      .onConflict((at) => at.column('key').doUpdateSet(row)).execute()
  )
}
