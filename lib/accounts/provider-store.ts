import type { Clock } from '../base/mod.ts'
import { inTurn, isObject } from '../base/mod.ts'
import type { StoredProvider } from '../catalog/mod.ts'
import type { Rows, Storage } from '../storage/mod.ts'

/** Providers of the owner's own that an operation added. */
export interface ProviderStore {
  /** As last read: the same list until it changes. Never waits. */
  list(): readonly StoredProvider[]
  put(provider: StoredProvider): Promise<void>
  remove(name: string): Promise<void>
  /** Reads the store again: another process may have changed it. */
  reload(): Promise<void>
}

const prefix = 'accounts.provider/'

/** The providers that the store holds, for those who only look. */
export function readStoredProviders(look: Rows): readonly StoredProvider[] {
  const query = 'select value from facts where key >= ? and key < ? order by key'
  return look.rows<{ value: string }>(query, [prefix, `${prefix}\uffff`]).flatMap(fromRow)
}

function fromRow({ value }: { readonly value: string }): StoredProvider[] {
  const read: unknown = JSON.parse(value)
  return isObject(read) ? [read as unknown as StoredProvider] : []
}

/** Opens the {@link ProviderStore} of a home. */
export async function openProviderStore(
  { storage, clock }: { storage: Storage; clock: Clock },
): Promise<ProviderStore> {
  let known: readonly StoredProvider[] = []
  let text = ''

  const reload = inTurn(async () => {
    const rows = await storage.db.selectFrom('facts').select('value').where('key', '>=', prefix)
      .where('key', '<', `${prefix}\uffff`).orderBy('key').execute()
    const next = rows.map((row) => row.value).join('\n')
    if (next === text) return
    text = next
    known = rows.flatMap(fromRow)
  })

  await reload()
  return {
    list: () => known,
    reload,
    async put(provider) {
      const row = { key: prefix + provider.name, value: JSON.stringify(provider), updated_ms: clock.now() }
      await storage.write((tx) =>
        tx.insertInto('facts').values(row).onConflict((at) => at.column('key').doUpdateSet(row)).execute()
      )
      await reload()
    },
    async remove(name) {
      await storage.write((tx) => tx.deleteFrom('facts').where('key', '=', prefix + name).execute())
      await reload()
    },
  }
}
