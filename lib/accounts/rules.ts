import type { AccountRecord } from './config.ts'
import { sourceKeys } from './account.ts'

/** Where the id that is sent beside a token may be from. */
const accountIdKeys = ['account_id', 'account_id_env', 'account_id_command'] as const

/** What is wrong with an account although each of its fields is right. */
export function accountProblems(record: AccountRecord): readonly { readonly key: string; readonly message: string }[] {
  const sources = givenOf(sourceKeys, record)
  // A stored secret may stand in for a variable that is not set.
  const twoInOne = sources.length === 2 && sources[0] === 'token_env' && sources[1] === 'token_store'
  return [
    ...(twoInOne ? [] : surplus(sources, 'source of its secret')),
    ...surplus(givenOf(accountIdKeys, record), 'account id'),
  ]
}

const givenOf = (keys: readonly (keyof AccountRecord)[], record: AccountRecord): readonly string[] =>
  keys.filter((key) => record[key] !== undefined)

const surplus = (given: readonly string[], what: string) =>
  given.length > 1 ? [{ key: given[1]!, message: `only one ${what}: ${given.join(', ')}` }] : []

/** {@link accountProblems} of all that `[accounts]` declares. */
export function accountsProblems(accounts: Readonly<Record<string, AccountRecord>>): readonly unknown[] {
  return Object.values(accounts).flatMap(accountProblems)
}
