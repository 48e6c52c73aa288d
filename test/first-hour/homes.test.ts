import { afterAll, describe, expect, test } from 'bun:test'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expectSentence, gw, inHome, main } from './program.ts'

describe('half a home', () => {
  /** A home with a sealed key in it, made once. */
  let made: Promise<string> | null = null
  const whole = () =>
    made ??= (async () => {
      const home = mkdtempSync(join(tmpdir(), 'gw-hour-whole-'))
      const added = await gw(['accounts', 'add', 'openai', '--secret-stdin'], { home, input: 'sk-first-hour' })
      expect(added.code).toBe(0)
      return home
    })()
  afterAll(async () => rmSync(await whole(), { recursive: true }))

  /** What is done to a copy of it. */
  const broken: readonly (readonly [what: string, harm: (home: string) => void, code: number, says: RegExp])[] = [
    ['a database without its key', (home) => rmSync(join(home, 'key')), 202, /their key is gone from .*key\n.*restore/],
    ['an empty key file', (home) => writeFileSync(join(home, 'key'), ''), 202, /key does not hold the keys/],
    ['a folder where the key should be', (home) => inPlace(join(home, 'key')), 200, /key is not a file: a folder/],
    [
      'a folder where the database should be',
      (home) => {
        for (const name of databaseFiles(home)) rmSync(join(home, name))
        mkdirSync(join(home, 'gw.sqlite'))
      },
      1,
      /gw\.sqlite cannot be opened: a folder stands there/,
    ],
    [
      'half a database',
      (home) => {
        const path = join(home, 'gw.sqlite')
        writeFileSync(path, readFileSync(path).subarray(0, 10_000))
      },
      200,
      /gw\.sqlite is not a healthy SQLite database.*\n.*restore a backup/,
    ],
    [
      'another file in its place',
      (home) => {
        for (const name of databaseFiles(home)) rmSync(join(home, name))
        writeFileSync(join(home, 'gw.sqlite'), 'a shopping list, '.repeat(100))
      },
      200,
      /is not a healthy SQLite database/,
    ],
    ['a config half written', (home) => writeFileSync(join(home, 'config.toml'), '[server]\nport = '), 200, /toml:2/],
    ['a config that is a folder', (home) => mkdirSync(join(home, 'config.toml')), 200, /config\.toml is not a file/],
    [
      'a config of other bytes',
      (home) => writeFileSync(join(home, 'config.toml'), '\xff\xfe[', 'latin1'),
      200,
      /UTF-8/,
    ],
  ]
  for (const [what, harm, code, says] of broken) {
    test(`${what}: a sentence, and nothing is changed`, () =>
      inHome(async (home) => {
        cpSync(await whole(), home, { recursive: true })
        harm(home)
        const [before, database] = [stateOf(home), databaseOf(home)]
        expectSentence(await gw(['tokens', 'issue', '--label', 'me'], { home }), code, says)
        expectSentence(await gw(['serve', '--port', '0'], { home }), code, says)
        expect(stateOf(home)).toEqual(before)
        if (code === 202) return
        expect(databaseOf(home)).toEqual(database)
      }), 60_000)
  }

  test('a key without a database is a new home, and an empty database is filled', () =>
    inHome(async (home) => {
      expect((await gw(['tokens', 'issue', '--label', 'me'], { home })).code).toBe(0)
      const key = readFileSync(join(home, 'key'), 'utf8')
      for (const name of databaseFiles(home)) rmSync(join(home, name))
      expect(await gw(['tokens', 'list'], { home })).toMatchObject({ code: 0, err: '' })
      writeFileSync(join(home, 'gw.sqlite'), '')
      expect((await gw(['tokens', 'issue', '--label', 'me'], { home })).code).toBe(0)
      expect(readFileSync(join(home, 'key'), 'utf8')).toBe(key)
    }), 60_000)

  test('a start that fails at its very end leaves nobody listening', () =>
    inHome(async (home) => {
      mkdirSync(join(home, 'serving.json'))
      expectSentence(await gw(['serve', '--port', '0'], { home }), 1, /serving\.json cannot be written: a folder/)
      expect(await gw(['status'], { home })).toMatchObject({ code: 0, out: expect.stringContaining('not running') })
    }), 60_000)

  const databaseFiles = (home: string) => readdirSync(home).filter((name) => name.startsWith('gw.sqlite'))
  const inPlace = (path: string) => {
    rmSync(path)
    mkdirSync(path)
  }
  /** Names and contents; but for the database, in which a start that fails may have taken and given back a lock. */
  const stateOf = (home: string) =>
    readdirSync(home, { withFileTypes: true }).filter(({ name }) => !name.startsWith('gw.sqlite')).map((entry) => [
      entry.name,
      entry.isFile() ? readFileSync(join(home, entry.name), 'latin1') : null,
    ])
  const databaseOf = (home: string) => {
    const path = join(home, 'gw.sqlite')
    return statSync(path).isFile() ? readFileSync(path).toString('base64') : null
  }
})

test('a home below a file cannot be made: which folder, and what to set', () =>
  inHome(async (folder) => {
    writeFileSync(join(folder, 'file'), '')
    const home = join(folder, 'file', 'home')
    const says = /file\/home cannot be made: a file stands where its path needs a folder\n.*GW_HOME=/
    expectSentence(await gw(['tokens', 'issue', '--label', 'me'], { home }), 1, says)
    expectSentence(await gw(['serve', '--port', '0'], { home }), 1, says)
    expect(await gw(['tokens', 'list'], { home })).toMatchObject({ code: 0, err: '' })
  }))

/** Whom nothing belongs to: root cannot be denied anything. */
const nobody = 65_534
const asRoot = process.getuid?.() === 0
const before = asRoot
  ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', process.execPath]
  : [process.execPath]

/** Whether there is a user to be denied, who can read the program. */
function somebody(): boolean {
  if (process.platform !== 'linux') return false
  if (!asRoot) return true
  if (!Bun.which('setpriv')) return false
  const run = Bun.spawnSync([...before, main, '--version'], { env: { PATH: process.env.PATH ?? '' }, cwd: '/' })
  return run.exitCode === 0
}

describe.skipIf(!somebody())('without permission', () => {
  /** A folder that the program's user owns, and one step to take it away. */
  const inOwnHome = (work: (home: string, deny: (path: string, mode: number) => void) => Promise<void>) =>
    inHome(async (folder) => {
      chmodSync(folder, 0o755)
      const home = join(folder, 'home')
      mkdirSync(home, { mode: 0o700 })
      if (asRoot) chownSync(home, nobody, nobody)
      try {
        await work(home, (path, mode) => {
          // Root takes it for itself; anybody else can only take the right from itself.
          if (asRoot) chownSync(path, 0, 0)
          chmodSync(path, mode)
        })
      } finally {
        chmodSync(home, 0o700)
      }
    })

  test('a folder that may not be written', () =>
    inOwnHome(async (home, deny) => {
      deny(home, 0o555)
      const inside = join(home, 'gw')
      const says = /home\/gw cannot be made: permission denied\n.*GW_HOME=/
      expectSentence(await gw(['tokens', 'issue', '--label', 'me'], { home: inside, before }), 1, says)
      expectSentence(await gw(['serve', '--port', '0'], { home: inside, before }), 1, says)
      expect(existsSync(inside)).toBe(false)
      expect(await gw(['status'], { home: inside, before })).toMatchObject({ code: 0, err: '' })
    }), 60_000)

  test(
    'a config that may not be read, and a folder in which it may not be changed',
    () =>
      inOwnHome(async (home, deny) => {
        const file = join(home, 'config.toml')
        writeFileSync(file, '[server]\nport = 9000\n')
        deny(file, 0o000)
        const says = /config\.toml cannot be read: permission denied\n/
        expectSentence(await gw(['tokens', 'list'], { home, before }), 200, says)
        expectSentence(await gw(['config', 'set', 'server.port', '9001'], { home, before }), 200, says)
        chmodSync(file, 0o444)
        const data = join(home, 'data')
        mkdirSync(data, { mode: 0o700 })
        if (asRoot) chownSync(data, nobody, nobody)
        deny(home, 0o555)
        const env = { GW_CONFIG: file }
        const refused = await gw(['config', 'set', 'server.port', '9001'], { home: data, env, before })
        expectSentence(refused, 1, asRoot ? /cannot be closed to others/ : /config\.toml cannot be written/)
        expect(readFileSync(file, 'utf8')).toBe('[server]\nport = 9000\n')
      }),
    60_000,
  )

  test.skipIf(!asRoot)('a home that root made once', () =>
    inOwnHome(async (home) => {
      expect((await gw(['tokens', 'issue', '--label', 'me'], { home })).code).toBe(0)
      const says = /permission denied\n/
      for (const mode of [0o600, 0o644]) {
        for (const name of readdirSync(home)) {
          chownSync(join(home, name), 0, 0)
          chmodSync(join(home, name), mode)
        }
        chownSync(home, nobody, nobody)
        for (const words of [['tokens', 'list'], ['tokens', 'issue', '--label', 'me'], ['serve', '--port', '0']]) {
          const refused = await gw(words, { home, before })
          expect(refused.code).not.toBe(0)
          expectSentence(refused, refused.code, mode === 0o600 ? /cannot be/ : says)
        }
      }
    }), 60_000)
})
