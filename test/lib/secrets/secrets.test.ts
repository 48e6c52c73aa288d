import { expect, test } from 'bun:test'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isGwError, Secret, systemClock } from '../../../lib/base/mod.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { type Keychain, openRouterRecord, openSecretStore } from '../../../lib/secrets/mod.ts'
import { memoryKeychain } from '../../support/memory-keychain.ts'
import { openStorage } from '../../../lib/storage/mod.ts'
import { cleanUp, tempFolder } from '../../support/cleanups.ts'

const cleanups = cleanUp()

async function home(keychain: Keychain | null = null) {
  const folder = tempFolder(cleanups, 'secrets')
  const keyFile = join(folder, 'key')
  const openDatabase = async () => {
    const storage = await openStorage({
      platform: await detectPlatform(),
      clock: systemClock,
      path: join(folder, 'gw.sqlite'),
    })
    cleanups.push(() => storage.close())
    return storage
  }
  const storage = await openDatabase()
  const open = (other = storage, ring = keychain) =>
    openSecretStore({ storage: other, clock: systemClock, keyFile, keychain: ring })
  return { folder, keyFile, storage, open, openDatabase }
}

const codeOf = async (work: Promise<unknown>): Promise<string> => {
  try {
    await work
    return 'no error'
  } catch (error) {
    return isGwError(error) ? error.code : String(error)
  }
}

test('a secret comes back, is sealed at rest, and its key file is private', async () => {
  const { open, storage, keyFile } = await home()
  const store = await open()
  await store.put('account/a', new Secret('sk-canary-1'))
  expect((await store.get('account/a'))?.reveal()).toBe('sk-canary-1')
  const row = await storage.db.selectFrom('secrets').selectAll().executeTakeFirstOrThrow()
  expect(row.sealed).toMatch(/^gw1\.k[0-9a-f]{8}\.[\w-]+$/)
  expect(row.sealed).not.toContain('canary')
  expect(statSync(keyFile).mode & 0o777).toBe(0o600)
  expect(store.keyPlace).toBe('file')
})

test('get() of an unknown reference is null, delete() says whether there was one, list() opens nothing', async () => {
  const store = await (await home()).open()
  expect(await store.get('nothing')).toBeNull()
  await store.put('a/1', new Secret('x'))
  await store.put('b/1', new Secret('y'))
  expect((await store.list('a/')).map((info) => info.ref)).toEqual(['a/1'])
  expect([await store.delete('a/1'), await store.delete('a/1')]).toEqual([true, false])
  expect(await codeOf(store.put('../etc passwd', new Secret('x')))).toBe('usage.invalid')
})

test('a record moved to another reference or changed by one byte does not open', async () => {
  const { open, storage } = await home()
  const store = await open()
  await store.put('one', new Secret('first'))
  await storage.db.updateTable('secrets').set({ ref: 'two' }).execute()
  expect(await codeOf(store.get('two'))).toBe('secret.corrupt')
  const { sealed } = await storage.db.selectFrom('secrets').select('sealed').executeTakeFirstOrThrow()
  const at = sealed.length - 10
  const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
  await storage.db.updateTable('secrets').set({ ref: 'one', sealed: changed }).execute()
  expect(await codeOf(store.get('one'))).toBe('secret.corrupt')
})

test('rotate() seals everything under a new key; a process with the old key still reads and writes', async () => {
  const { open } = await home()
  const [ours, theirs] = [await open(), await open()]
  await ours.put('a', new Secret('1'))
  const before = (await ours.list())[0]!.kid
  expect(await ours.rotate()).toBe(1)
  expect((await ours.list())[0]!.kid).not.toBe(before)
  expect((await theirs.get('a'))?.reveal()).toBe('1')
  await theirs.put('b', new Secret('2'))
  expect((await ours.get('b'))?.reveal()).toBe('2')
  const again = await open()
  expect((await again.get('a'))?.reveal()).toBe('1')
})

test('ensureKey() gives every process the same key, rotateKey() keeps the old one for verifying', async () => {
  const { open, openDatabase } = await home()
  const stores = [await open(), await open(await openDatabase()), await open(await openDatabase())]
  const keys = await Promise.all(stores.map((store) => store.ensureKey('access', 32)))
  expect(new Set(keys.map((key) => key.kid)).size).toBe(1)
  expect(keys[0]!.bytes.length).toBe(32)
  const next = await stores[0]!.rotateKey('access', 32, 1)
  expect((await stores[1]!.keys('access')).map((key) => key.kid)).toEqual([next.kid, keys[0]!.kid])
  expect(await stores[2]!.ensureKey('access', 32)).toEqual(next)
})

test('openSecretStore() makes one key however many processes open a new home at once', async () => {
  const { open, openDatabase, keyFile } = await home()
  const databases = await Promise.all([openDatabase(), openDatabase(), openDatabase()])
  const stores = await Promise.all(databases.map((database) => open(database)))
  await stores[0]!.put('a', new Secret('shared'))
  for (const store of stores) expect((await store.get('a'))?.reveal()).toBe('shared')
  expect(JSON.parse(readFileSync(keyFile, 'utf8')).keys).toHaveLength(1)
})

test('with a keychain the key is kept there, and without it the home is locked, never re-keyed', async () => {
  const { open, keyFile } = await home(memoryKeychain())
  const store = await open()
  await store.put('a', new Secret('1'))
  expect(store.keyPlace).toBe('keychain')
  expect(() => statSync(keyFile)).toThrow()
  expect(await codeOf(open(undefined, null))).toBe('secret.locked')
})

test('a lost or broken key file is an error that says so, and nothing is overwritten', async () => {
  const { open, keyFile } = await home()
  await (await open()).put('a', new Secret('1'))
  writeFileSync(keyFile, '{"keys":[')
  expect(await codeOf(open())).toBe('secret.corrupt')
  expect(readFileSync(keyFile, 'utf8')).toBe('{"keys":[')
  rmSync(keyFile)
  expect(await codeOf(open())).toBe('secret.locked')
})

test('openRouterRecord() reads a record of Link.Assistant.Router and refuses another secret', async () => {
  const record = 'aes256gcm:BwcHBwcHBwcHBwcHxiXxikA6O5Mmi2td8wXHLBvXJsGiHlTVPk67'
  expect(await openRouterRecord(record, 'test-secret')).toBe('sk-upstream')
  expect(await codeOf(openRouterRecord(record, 'other-secret'))).toBe('secret.corrupt')
  expect(await codeOf(openRouterRecord('aes256gcm:AAAA', 'test-secret'))).toBe('secret.corrupt')
})
