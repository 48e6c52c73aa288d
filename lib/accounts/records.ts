import type { Logger } from '../base/mod.ts'
import type { AccountRecord } from './config.ts'

/** What a stored record must be; a home that keeps its accounts in the config file never needs it. */
export const accountSchema = async () => (await import('./config.ts')).accountSchema

/** The records that the store holds; one that is none is logged and left out. */
export async function readRecords(
  rows: readonly { readonly id: string; readonly record: string }[],
  logger: Logger,
): Promise<readonly (readonly [id: string, record: AccountRecord])[]> {
  if (rows.length === 0) return []
  const schema = await accountSchema()
  return rows.flatMap((row) => {
    const parsed = schema.safeParse(recordJson(row.record))
    if (parsed.success) return [[row.id, parsed.data] as const]
    logger.log('error', 'accounts.unreadable', { account: row.id, issue: parsed.error.issues[0]?.message })
    return []
  })
}

/** The JSON of a stored record; `null` where it is none. */
export function recordJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
