import type { Json, JsonObject } from '../../lib/base/mod.ts'
import type { Home } from '../../lib/open-home.ts'

/** A change that a command makes by itself, where no operation does it. */
export interface OwnChange {
  /** Its name in the record, such as `enroll.add`. */
  readonly operation: string
  readonly input: Readonly<Record<string, Json | undefined>>
  readonly effect?: 'mutates' | 'interactive'
}

/**
 * Makes such a change on the record of the home, like an operation: `gw audit list` shows it, and without the record
 * there is no change.
 *
 * @throws GwError `audit.failed`
 */
export async function onRecord<T>(
  home: Pick<Home, 'audit'>,
  { operation, input, effect = 'mutates' }: OwnChange,
  change: () => Promise<T>,
): Promise<T> {
  const { recorded } = await import('../../lib/operations/mod.ts')
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as JsonObject
  return recorded(
    home.audit,
    { principal: 'operator', surface: 'cli', operation, effect, input: given, before: null },
    change,
  )
}
