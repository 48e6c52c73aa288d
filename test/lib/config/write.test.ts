import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../lib/base/mod.ts'
import { applying, liveConfig, loadConfig, type WriteOptions } from '../../../lib/config/mod.ts'
import { writeConfig } from '../../../lib/config/write.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openStorage, type Storage } from '../../../lib/storage/mod.ts'

const platform = await detectPlatform()
const clock = systemClock

let root: string
let path: string
let sources: { readonly env: { readonly GW_HOME: string }; readonly cwd: string }
const open: Storage[] = []

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'gw-config-'))
  path = join(root, 'config.toml')
  sources = { env: { GW_HOME: root }, cwd: root }
})
afterEach(async () => {
  for (const storage of open.splice(0)) await storage.close()
  rmSync(root, { recursive: true })
})

/** The database of the home, as a process of its own has it. */
async function storage(): Promise<Storage> {
  const opened = await openStorage({ platform, clock, path: join(root, 'gw.sqlite') })
  open.push(opened)
  return opened
}

const text = () => readFileSync(path, 'utf8')
const port = (value: number) => applying([{ path: ['server', 'port'], value }])
/** What lies beside the config file and the database. */
const litter = () => readdirSync(root).filter((name) => name !== 'config.toml' && !name.startsWith('gw.sqlite'))
const note = (key: string): WriteOptions => ({
  with: async (tx) => void await tx.insertInto('facts').values({ key, value: '', updated_ms: 0 }).execute(),
})
const noted = async (in_: Storage) =>
  (await in_.db.selectFrom('facts').select('key').orderBy('key').execute()).map(({ key }) => key)

test('writeConfig() keeps comments and order, and refuses what would not be valid without touching the file', async () => {
  const home = { storage: await storage(), clock }
  writeFileSync(
    path,
    '# my gateway\n[server] # here\nport = 9000 # office\n\n# keys\n[accounts.work]\nprovider = "openai"\ntoken_env = "K"\n',
    { mode: 0o600 },
  )
  await writeConfig(
    home,
    sources,
    applying([
      { path: ['server', 'port'], value: 9001 },
      { path: ['server', 'metrics'], value: false },
      { path: ['accounts', 'home', 'provider'], value: 'openai' },
      { path: ['accounts', 'home', 'token_env'], value: 'STORE' },
    ]),
  )
  expect(text()).toBe(
    '# my gateway\n[server] # here\nport = 9001 # office\nmetrics = false\n\n# keys\n[accounts.work]\nprovider = "openai"\ntoken_env = "K"\n\n[accounts.home]\nprovider = "openai"\ntoken_env = "STORE"\n',
  )
  const kept = text()
  await expect(writeConfig(home, sources, port(-1))).rejects.toMatchObject({ code: 'config.invalid' })
  expect(text()).toBe(kept)
  await writeConfig(home, sources, applying([{ path: ['accounts', 'work'], value: undefined }]))
  expect(text()).not.toContain('accounts.work')
  expect(litter()).toEqual([])
})

test('writers of several processes lose nothing of one another', async () => {
  const homes = await Promise.all([storage(), storage(), storage()])
  const names = Array.from({ length: 30 }, (_, i) => `alias${i}`)
  await Promise.all(names.map((name, i) =>
    writeConfig(
      { storage: homes[i % 3]!, clock },
      sources,
      applying([{ path: ['catalog', 'aliases', name], value: `demo/${name}` }]),
      i % 2 === 0 ? note(name) : {},
    )
  ))
  const { config } = await loadConfig(sources)
  expect(Object.keys(config.catalog.aliases).sort()).toEqual([...names].sort())
  expect(await noted(homes[0])).toEqual(names.filter((_, i) => i % 2 === 0).sort())
  expect(litter()).toEqual([])
})

test('what belongs to a change is stored with the file or not at all', async () => {
  const home = { storage: await storage(), clock }
  await writeConfig(home, sources, port(9001), note('first'))
  const failing: WriteOptions = {
    with: async (tx, draft) => {
      await note('second').with!(tx, draft)
      throw new Error('no')
    },
  }
  await expect(writeConfig(home, sources, port(9002), failing)).rejects.toThrow('no')
  expect([text(), await noted(home.storage)]).toEqual(['[server]\nport = 9001\n', ['first']])
  // The disk fills up while the database commits: the file has its new text by then.
  const full = commitFails(home.storage)
  await expect(writeConfig({ storage: full, clock }, sources, port(9003), note('third'))).rejects.toThrow('disk full')
  expect([text(), await noted(home.storage)]).toEqual(['[server]\nport = 9001\n', ['first']])
  // A file where none was is taken away again.
  rmSync(path)
  const again = commitFails(home.storage)
  await expect(writeConfig({ storage: again, clock }, sources, port(9004), note('third'))).rejects.toThrow('disk full')
  expect(litter()).toEqual([])
  expect(readdirSync(root)).not.toContain('config.toml')
})

for (const next of ['start', 'write'] as const) {
  test(`a process that ends between file and database leaves the old of both at the next ${next}`, async () => {
    const home = { storage: await storage(), clock }
    await writeConfig(home, sources, port(9001))
    const killed = commitFails(home.storage, { ends: true })
    await expect(writeConfig({ storage: killed, clock }, sources, port(9002), note('half'))).rejects.toThrow(
      'disk full',
    )
    expect([text(), await noted(home.storage)]).toEqual(['[server]\nport = 9002\n', ['config.half_written']])
    const restarted = { storage: await storage(), clock }
    if (next === 'start') {
      const live = liveConfig(restarted, sources, await loadConfig(sources), { watch: false })
      await live.recover()
      expect(live.current().config.server.port).toBe(9001)
      live.stop()
      expect(text()).toBe('[server]\nport = 9001\n')
    } else {
      await writeConfig(restarted, sources, applying([{ path: ['server', 'drain_secs'], value: 7 }]))
      expect(text()).toBe('[server]\nport = 9001\ndrain_secs = 7\n')
    }
    expect(await noted(home.storage)).toEqual([])
    expect(litter()).toEqual([])
  })
}

test('a file that a hand wrote after such an end stays as that hand left it', async () => {
  const home = { storage: await storage(), clock }
  await writeConfig(home, sources, port(9001))
  const killed = commitFails(home.storage, { ends: true })
  await expect(writeConfig({ storage: killed, clock }, sources, port(9002), note('half'))).rejects.toThrow('disk full')
  writeFileSync(path, '[server]\nport = 9003 # by hand\n', { mode: 0o600 })
  const live = liveConfig(home, sources, await loadConfig(sources), { watch: false })
  await live.recover()
  live.stop()
  expect(text()).toBe('[server]\nport = 9003 # by hand\n')
  expect(litter()).toEqual([])
})

/** A database whose second commit fails; where the process `ends` there, nothing reaches it any more. */
function commitFails(storage: Storage, { ends = false } = {}): Storage {
  let writes = 0
  return {
    ...storage,
    write(work) {
      writes++
      if (ends && writes > 2) return Promise.reject(new Error('ended'))
      return storage.write(async (tx) => {
        const done = await work(tx)
        if (writes === 2) throw new Error('disk full')
        return done
      })
    },
  }
}
