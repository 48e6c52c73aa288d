import { GwError } from '../../../lib/base/mod.ts'
import type { Home } from '../../../lib/open-home.ts'
import type { ConfigChange } from '../../../lib/repair/mod.ts'

/** Changes of stay-afloat as edits of the configuration. */
export const edits = (changes: readonly ConfigChange[]) =>
  changes.map(({ path, value }) => ({ path: [...path], value }))

/** The file as it was, beside itself; refuses to write over an older copy. */
export async function backup(home: Home): Promise<string | null> {
  const { path, exists } = home.config.current()
  if (!exists) return null
  const { readBounded, statFile, writeAtomic } = await import('../../../lib/platform/mod.ts')
  const copy = `${path}.backup-${home.clock.now()}`
  if (await statFile(copy)) {
    throw new GwError('request.conflict', `${copy} is there already`, { hint: 'try again' })
  }
  await writeAtomic(copy, await readBounded(path) ?? '')
  return copy
}
