import { type Logger, readShape, type Shape } from '../base/mod.ts'
import type { AccountRecord } from './config.ts'
import { accountProblems } from './rules.ts'

const text: Shape = { is: 'text', least: 1 }
const maybe = (of: Shape): Shape => ({ is: 'maybe', of })
const otherwise = (value: unknown, of: Shape): Shape => ({ is: 'default', of, value })
const argv: Shape = { is: 'list', of: text, least: 1 }
const count: Shape = { is: 'number', whole: true, bounds: [['above', 0]] }
const flag: Shape = { is: 'flag' }
/** What only the schema judges. */
const judged = maybe({ is: 'beyond' })

/** {@link accountSchema} for the records that most homes hold, as data: nothing is built to read them. */
const plainRecord: Shape = {
  is: 'object',
  of: {
    provider: text,
    label: maybe({ is: 'text' }),
    enabled: otherwise(true, flag),
    priority: otherwise(0, { is: 'number', whole: true }),
    weight: otherwise(1, { is: 'number', bounds: [['above', 0]] }),
    plan: maybe(flag),
    allow_undocumented_use: otherwise(false, flag),
    base_url: judged,
    models: otherwise([], { is: 'list', of: text }),
    tags: otherwise([], { is: 'list', of: text }),
    concurrency: maybe(count),
    requests_per_minute: maybe({ is: 'number', bounds: [['above', 0]] }),
    spend_micros_per_day: maybe(count),
    kind: maybe({ is: 'one', of: ['api_key', 'auth_token'] }),
    token: maybe(text),
    token_env: maybe(text),
    token_file: maybe(text),
    token_command: maybe(argv),
    token_store: maybe(text),
    token_stdin: judged,
    keychain: judged,
    sops: judged,
    age: judged,
    aws_profile: maybe(text),
    google_key_file: maybe(text),
    login: maybe({ is: 'text', like: [['^[a-z0-9-]+(\\.[A-Za-z0-9_-]+)?$', '']] }),
    foreign: judged,
    account_id: maybe(text),
    account_id_env: maybe(text),
    account_id_command: maybe(argv),
    cache_ttl_secs: otherwise(300, { is: 'number', bounds: [['least', 0]] }),
    timeout_secs: otherwise(30, { is: 'number', bounds: [['above', 0], ['most', 600]] }),
  },
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
    const plain = readShape(plainRecord, value)?.value as AccountRecord | undefined
    if (plain && accountProblems(plain).length === 0) {
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
