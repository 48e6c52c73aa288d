import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { GwError } from '../base/mod.ts'
import { ensurePrivateDir, readBounded, removeFile, statFile, writeAtomic } from '../platform/mod.ts'

/** A config text that was put aside under a name. */
export interface Snapshot {
  readonly name: string
  /** When it was put aside, epoch ms. */
  readonly at: number
  readonly bytes: number
}

/** The texts put aside. They hold what the config file holds, so they are kept as private as it is. */
export interface Snapshots {
  list(): Promise<Snapshot[]>
  /** @throws GwError `request.not_found` */
  read(name: string): Promise<string>
  /** @throws GwError `request.conflict` when there is one of that name and it may not be replaced */
  save(name: string, text: string, replace: boolean): Promise<void>
  /** @throws GwError `request.not_found` */
  remove(name: string): Promise<void>
}

/** What a snapshot may be called: it is a file name. */
const snapshotName = /^[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*$/

const extension = '.toml'
const most = 200

/** The {@link Snapshots} in a folder, which is made by the first one. */
export function openSnapshots(folder: string): Snapshots {
  const fileOf = (name: string) => {
    if (!snapshotName.test(name) || name.length > 64) {
      throw new GwError('request.invalid', 'name: is no name for a snapshot', {
        param: 'name',
        hint: 'letters, digits, dots, dashes and underscores, at most 64',
      })
    }
    return join(folder, name + extension)
  }
  const missing = (name: string) =>
    new GwError('request.not_found', `no snapshot ${name}`, { hint: 'gw config snapshots' })

  async function list(): Promise<Snapshot[]> {
    const files = await readdir(folder).catch((error: Error & { code?: string }) => {
      if (error.code === 'ENOENT') return []
      throw error
    })
    const found = await Promise.all(
      files.filter((file) => file.endsWith(extension)).map(async (file) => {
        const facts = await statFile(join(folder, file))
        const name = file.slice(0, -extension.length)
        return facts && snapshotName.test(name)
          ? { name, at: Math.round(facts.modifiedAt), bytes: facts.sizeBytes }
          : null
      }),
    )
    return found.filter((one) => one !== null).sort((a, b) => a.name < b.name ? -1 : 1)
  }

  return {
    list,
    async read(name) {
      const text = await readBounded(fileOf(name))
      if (text === null) throw missing(name)
      return text
    },
    async save(name, text, replace) {
      const file = fileOf(name)
      const there = await statFile(file)
      if (there && !replace) throw new GwError('request.conflict', `there is a snapshot ${name} already`)
      if (!there && (await list()).length >= most) {
        throw new GwError('request.conflict', `there are ${most} snapshots already`, { hint: 'gw config forget NAME' })
      }
      await ensurePrivateDir(folder)
      await writeAtomic(file, text)
    },
    async remove(name) {
      const file = fileOf(name)
      if (!await statFile(file)) throw missing(name)
      await removeFile(file)
    },
  }
}
