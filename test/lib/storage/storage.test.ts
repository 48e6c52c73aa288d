import { expect, test } from 'bun:test'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger, systemClock } from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'
import { loadConfig } from '../../../lib/config/mod.ts'
import { openHome } from '../../../lib/open-home.ts'
import { detectPlatform, paths } from '../../../lib/platform/mod.ts'
import { newsOf, openStorage } from '../../../lib/storage/mod.ts'

const platform = await detectPlatform()

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'gw-storage-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('openStorage() creates a private database in a private folder', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'home', 'gw.sqlite')
    const storage = await openStorage({ platform, clock: systemClock, path })
    await storage.close()
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(join(folder, 'home'))).mode & 0o777).toBe(0o700)
  }))

test('openStorage() refuses a file that is no database and leaves it as it was', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'gw.sqlite')
    await writeFile(path, 'these are not the pages you are looking for, and there are more than sixteen bytes of them')
    const opening = openStorage({ platform, clock: systemClock, path })
    await expect(opening).rejects.toMatchObject({ code: 'storage.corrupt' })
    expect(await Bun.file(path).text()).toStartWith('these are not')
  }))

test('openStorage() refuses the schema of a newer gw', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'gw.sqlite')
    await (await openStorage({ platform, clock: systemClock, path })).close()
    const connection = await platform.openSqlite(path)
    connection.prepare('insert into migrations values (?, ?)').run(['9999-from-tomorrow', 0])
    connection.close()
    await expect(openStorage({ platform, clock: systemClock, path })).rejects.toMatchObject({ code: 'storage.newer' })
  }))

test('a lease is held by one and grows its fence with each taking', () =>
  inFolder(async (folder) => {
    const clock = manualClock(1_000_000)
    const path = join(folder, 'gw.sqlite')
    const [one, two] = [
      await openStorage({ platform, clock, path }),
      await openStorage({ platform, clock, path }),
    ]
    const first = await one.lease('refresh', 1_000)
    expect(await two.lease('refresh', 1_000)).toBeNull()
    await clock.advance(1_001)
    const second = await two.lease('refresh', 1_000)
    expect(second!.fence).toBeGreaterThan(first!.fence)
    expect(await first!.renew(1_000)).toBe(false)
    expect(await first!.renew(1_000)).toBe(false)
    expect(await second!.renew(1_000)).toBe(true)
    await second!.release()
    expect(await one.lease('refresh', 1_000)).not.toBeNull()
    await one.close()
    await two.close()
  }))

test('batched rows are on disk after a flush, whatever transaction is open beside them', () =>
  inFolder(async (folder) => {
    const storage = await openStorage({ platform, clock: systemClock, path: join(folder, 'gw.sqlite') })
    await storage.write(async (tx) => {
      storage.batch.queue('insert into facts values (?, ?, ?)', ['a', '1', 0])
      await tx.insertInto('facts').values({ key: 'b', value: '2', updated_ms: 0 }).execute()
      await storage.batch.flush()
    })
    await storage.batch.flush()
    expect(await storage.db.selectFrom('facts').select('key').orderBy('key').execute()).toEqual([{ key: 'a' }, {
      key: 'b',
    }])
    await storage.close()
  }))

test('a busy database is asked again until the lock is free', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'gw.sqlite')
    const storage = await openStorage({ platform, clock: systemClock, path })
    const other = await platform.openSqlite(path)
    other.exec('begin immediate')
    const writing = storage.write((tx) =>
      tx.insertInto('facts').values({ key: 'k', value: '', updated_ms: 0 }).execute()
    )
    setTimeout(() => other.exec('commit'), 50)
    await writing
    expect((await storage.db.selectFrom('facts').select('key').execute()).length).toBe(1)
    other.close()
    await storage.close()
  }))

test('a page that is damaged behind a good header stops the start, names the file and changes nothing', () =>
  inFolder(async (home) => {
    await (await openHomeAt(home)).close()
    const path = paths({ GW_HOME: home }).database
    const bytes = new Uint8Array(await Bun.file(path).arrayBuffer())
    bytes.fill(0x5a, 4096)
    await writeFile(path, bytes)
    const opening = openHomeAt(home)
    await expect(opening).rejects.toMatchObject({ code: 'storage.corrupt' })
    await expect(opening).rejects.toThrow(path)
    expect(new Uint8Array(await Bun.file(path).arrayBuffer())).toEqual(bytes)
  }))

async function openHomeAt(home: string) {
  const from = { env: { GW_HOME: home }, cwd: home }
  const loaded = await loadConfig(from)
  const { logger, random } = { logger: silentLogger, random: Math.random }
  return openHome({ platform, clock: systemClock, random, logger, from, loaded, keychain: null, watch: false })
}

test('openStorage() says which folder cannot be made, and where to put it instead', () =>
  inFolder(async (folder) => {
    await writeFile(join(folder, 'file'), '')
    const opening = openStorage({ platform, clock: systemClock, path: join(folder, 'file', 'home', 'gw.sqlite') })
    await expect(opening).rejects.toMatchObject({
      code: 'storage.failed',
      hint: expect.stringContaining('GW_HOME'),
    })
  }))

test('newsOf() reads again after a commit by another connection, once, and once more where that failed', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'gw.sqlite')
    const one = await openStorage({ platform, clock: systemClock, path })
    const two = await openStorage({ platform, clock: systemClock, path })
    const put = (storage: typeof one, key: string) =>
      storage.write((tx) => tx.insertInto('facts').values({ key, value: '1', updated_ms: 0 }).execute())
    let reads = 0
    const failures: unknown[] = []
    const work = { next: (): Promise<void> => Promise.resolve() }
    const news = newsOf(one, () => (reads++, work.next()), (error) => failures.push(error))
    expect([news(), reads]).toEqual([null, 0])
    await put(two, 'meanwhile')
    await news()
    expect([news(), reads]).toEqual([null, 1])
    await put(one, 'own')
    expect(news()).toBeNull()
    await put(two, 'other')
    work.next = () => Promise.reject(new Error('busy'))
    const [first, second] = [news(), news()]
    expect(second).toBe(first)
    await first
    expect([reads, failures.length]).toEqual([2, 1])
    work.next = () => Promise.resolve()
    await news()
    expect([news(), reads]).toEqual([null, 3])
    await one.close()
    await two.close()
  }))

test('newsOf() stops nobody while the database cannot be read, and says so once', async () => {
  const answers: (number | Error)[] = [1, 2, new Error('disk I/O error'), new Error('disk I/O error'), 3]
  const version = (): number => {
    const answer = answers.shift()!
    if (answer instanceof Error) throw answer
    return answer
  }
  let reads = 0
  const failures: unknown[] = []
  const news = newsOf({ version }, () => Promise.resolve(void reads++), (error) => failures.push(error))
  await news()
  expect([news(), news(), reads, failures.length]).toEqual([null, null, 1, 1])
  await news()
  expect(reads).toBe(2)
})
