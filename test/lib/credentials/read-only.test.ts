import { expect, test } from 'bun:test'
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Secret } from '../../../lib/base/mod.ts'
import { memoryKeychain } from '../../support/memory-keychain.ts'
import { openLoginHome } from '../../support/login-home.ts'
import { rotatingIssuer } from '../../support/vendors/rotating.ts'
import { cleanUp, tempFolder } from '../../support/cleanups.ts'

const worker = resolve(import.meta.dir, '../../support/refresh-worker.ts')
const cleanups = cleanUp()

const temp = (): string => tempFolder(cleanups, 'ro')

/** Runs the refresh worker where `folder` is mounted read-only, for one round. */
async function round(home: string, tokenUrl: string, folder: string, request: object): Promise<string[]> {
  const mount = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
  const child = spawn('unshare', ['-rm', 'sh', '-c', mount, folder, process.execPath, worker, home, tokenUrl], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  child.stdin.end(`${JSON.stringify(request)}\n`)
  const [, answer] = (await new Response(child.stdout as never).text()).trim().split('\n')
  return JSON.parse(answer ?? '["the worker said nothing"]')
}

const jwt = (claims: object) => `e30.${btoa(JSON.stringify(claims)).replaceAll('=', '')}.x`
const document = (access: string, refresh: string, at: string) => ({
  tokens: { id_token: jwt({}), access_token: access, refresh_token: refresh, account_id: 'acc' },
  last_refresh: at,
})

const canMount = spawnSync('unshare', ['-rm', 'true']).status === 0
if (!canMount) console.log('skipped: read-only mounts: this machine lets nobody make a mount namespace')

test.skipIf(!canMount)(
  'a login on a read-only mount is renewed into this home, once, and survives its process',
  async () => {
    const issuer = await rotatingIssuer()
    cleanups.push(() => issuer.close())
    const [home, theirs] = [temp(), temp()]
    const path = join(theirs, 'auth.json')
    const text = JSON.stringify(document(jwt({ exp: 1 }), issuer.grant('f'), '2020-01-01T00:00:00.000Z'))
    writeFileSync(path, text)
    const ask = () => round(home, issuer.url, theirs, { callers: 8, path })
    const first = await ask()
    expect([first.length, first[0]?.startsWith('at-f-'), issuer.calls.length]).toEqual([1, true, 1])
    expect([readFileSync(path, 'utf8'), existsSync(join(theirs, '.auth.json.gw-lock'))]).toEqual([text, false])
    // Another process, long after: nothing is spent again, and what it finds is sealed.
    expect([await ask(), issuer.calls.length]).toEqual([first, 1])
    const spares = [...new Bun.Glob('.spare.*.json').scanSync({ cwd: join(home, 'auth'), dot: true })]
    const spare = join(home, 'auth', spares[0]!)
    expect([spares.length, statSync(spare).mode & 0o777, readFileSync(spare, 'utf8').includes('rt-f-')]).toEqual([
      1,
      0o600,
      false,
    ])
    // The program that owns the file logs in again: theirs is newer, and counts.
    const now = Math.floor(Date.now() / 1000)
    const fresh = jwt({ iat: now, exp: now + 3600 })
    writeFileSync(path, JSON.stringify(document(fresh, 'rt-theirs', new Date(Date.now() + 60_000).toISOString())))
    expect([await ask(), issuer.calls.length]).toEqual([[fresh], 1])
  },
  60_000,
)

test('a keychain that locks in the middle of a refresh loses nothing', async () => {
  const issuer = await rotatingIssuer()
  cleanups.push(() => issuer.close())
  const folder = temp()
  mkdirSync(join(folder, '.codex'))
  const path = join(folder, '.codex', 'auth.json')
  const keychain = memoryKeychain()
  const open = () =>
    openLoginHome({ folder, keychain, env: { HOME: folder }, overrides: { chatgpt: { token_url: issuer.url } } })
  const before = await open()
  cleanups.push(() => before.close())
  const item = (await import('../../../lib/credentials/foreign/tools.ts')).foreignTools.find((tool) =>
    tool.id === 'codex'
  )!
    .keychain({ HOME: folder })!
  const text = JSON.stringify(document(jwt({ exp: 1 }), issuer.grant('k'), '2020-01-01T00:00:00.000Z'))
  await keychain.set(item.service, item.account, text)
  const { set } = keychain
  keychain.set = () => Promise.reject(new Error('locked'))
  const token = (await before.logins.readForeign('codex', null, {})).secret
  expect(token.reveal()).toStartWith('at-k-')
  keychain.set = set
  const after = await open()
  cleanups.push(() => after.close())
  const found = (await after.logins.readForeign('codex', null, {})).secret
  expect([found.reveal(), issuer.calls.length, existsSync(path)]).toEqual([token.reveal(), 1, false])
  // Its next refresh reaches the item again, and takes the spare away.
  await after.logins.readForeign('codex', null, { rejected: new Secret(found.reveal()) })
  expect(await keychain.get(item.service, item.account)).toContain('rt-k-')
  expect([...new Bun.Glob('.spare.*.json').scanSync({ cwd: join(folder, 'auth'), dot: true })]).toEqual([])
})
