import type { AccountRecord } from './config.ts'
import { sourceKeys } from './account.ts'

/** Where the id that is sent beside a token may be from. */
const accountIdKeys = ['account_id', 'account_id_env', 'account_id_command'] as const

/** What is wrong with an account although each of its fields is right. */
export function accountProblems(record: AccountRecord): { readonly key: string; readonly message: string }[] {
  return ([[sourceKeys, 'source of its secret'], [accountIdKeys, 'account id']] as const).flatMap(([keys, what]) => {
    const given = keys.filter((key) => record[key] !== undefined)
    // A stored secret may stand in for a variable that is not set.
    if (given.length === 2 && given[0] === 'token_env' && given[1] === 'token_store') return []
    return given.length > 1 ? [{ key: given[1]!, message: `only one ${what}: ${given.join(', ')}` }] : []
  })
}

/** {@link accountProblems} of all that `[accounts]` declares. */
export function accountsProblems(accounts: Readonly<Record<string, AccountRecord>>): readonly unknown[] {
  return Object.values(accounts).flatMap(accountProblems)
}
