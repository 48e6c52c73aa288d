import { isFlag, isListOf, isNumber, isObject, isOneOf, isText, type Logger, type Test } from '../base/mod.ts'
import type { AccountRecord } from './config.ts'
import { accountProblems } from './rules.ts'

const isFilled: Test = (value) => isText(value) && value !== ''
const isAbove = (bound: number): Test => (value) => isNumber(value) && (value as number) > bound
const isCount: Test = (value) => Number.isSafeInteger(value) && (value as number) > 0
const isArgv: Test = (value) => isListOf(isFilled)(value) && (value as unknown[]).length > 0

/** {@link accountSchema} for the members that most records have; one with others is for the schema to judge. */
const plainMembers: Readonly<Record<string, Test>> = {
  provider: isFilled,
  label: isText,
  enabled: isFlag,
  priority: Number.isSafeInteger,
  weight: isAbove(0),
  plan: isFlag,
  allow_undocumented_use: isFlag,
  models: isListOf(isFilled),
  tags: isListOf(isFilled),
  concurrency: isCount,
  requests_per_minute: isAbove(0),
  spend_micros_per_day: isCount,
  kind: isOneOf('api_key', 'auth_token'),
  token: isFilled,
  token_env: isFilled,
  token_file: isFilled,
  token_command: isArgv,
  token_store: isFilled,
  aws_profile: isFilled,
  google_key_file: isFilled,
  login: (value) => isText(value) && /^[a-z0-9-]+(\.[A-Za-z0-9_-]+)?$/.test(value as string),
  account_id: isFilled,
  account_id_env: isFilled,
  account_id_command: isArgv,
  cache_ttl_secs: (value) => isNumber(value) && (value as number) >= 0,
  timeout_secs: (value) => isAbove(0)(value) && (value as number) <= 600,
}

/** A record with nothing but {@link plainMembers}, as the schema would make it; `null` for any other. */
function plainRecord(value: unknown): AccountRecord | null {
  if (!isObject(value) || !Object.hasOwn(value, 'provider')) return null
  for (const name in value) {
    if (!Object.hasOwn(plainMembers, name) || !plainMembers[name]!(value[name])) return null
  }
  const record = {
    enabled: true,
    priority: 0,
    weight: 1,
    allow_undocumented_use: false,
    models: [],
    tags: [],
    cache_ttl_secs: 300,
    timeout_secs: 30,
    ...value,
  } as unknown as AccountRecord
  return accountProblems(record).length === 0 ? record : null
}

/** What a stored record must be; a home whose records are plain never needs it. */
export const accountSchema = async () => (await import('./config.ts')).accountSchema

/** The records that the store holds; one that is none is logged and left out. */
export async function readRecords(
  rows: readonly { readonly id: string; readonly record: string }[],
  logger: Logger,
): Promise<readonly (readonly [id: string, record: AccountRecord])[]> {
  const records: (readonly [id: string, record: AccountRecord])[] = []
  for (const row of rows) {
    const value = recordJson(row.record)
    const plain = plainRecord(value)
    if (plain) {
      records.push([row.id, plain])
      continue
    }
    const parsed = (await accountSchema()).safeParse(value)
    if (parsed.success) records.push([row.id, parsed.data])
    else logger.log('error', 'accounts.unreadable', { account: row.id, issue: parsed.error.issues[0]?.message })
  }
  return records
}

/** The JSON of a stored record; `null` where it is none. */
export function recordJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
