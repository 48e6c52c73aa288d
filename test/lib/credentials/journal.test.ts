import { describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Secret, systemClock } from '../../../lib/base/mod.ts'
import { type Grant, unknownIdentity } from '../../../lib/credentials/grants/grant.ts'
import { openRenewal, type Renewal, sealRenewal } from '../../../lib/credentials/grants/journal.ts'
import { takeLedger } from '../../../lib/credentials/grants/ledger.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { memoryKeychain } from '../../support/memory-keychain.ts'
import { openLoginHome } from '../../support/login-home.ts'
import { cleanUp, tempFolder } from '../../support/cleanups.ts'

const cleanups = cleanUp()

const grant = (n: number, extra: Partial<Grant> = {}): Grant => ({
  vendor: 'claude',
  accessToken: new Secret(`at-canary-${n}`),
  refreshToken: new Secret(`rt-canary-${n}`),
  idToken: null,
  expiresAt: Date.now() + 3_600_000,
  refreshedAt: Date.now(),
  scopes: ['a'],
  identity: { ...unknownIdentity, email: 'a@b.test' },
  clientId: 'client',
  resourceUrl: null,
  ...extra,
})

describe('the note of a refresh', () => {
  const spent = new Secret('rt-canary-0')

  test('opens with the refresh token that was spent for it, and with no other; nothing of it can be read', () => {
    const renewal = sealRenewal(spent, grant(1))
    expect(JSON.stringify(renewal)).not.toMatch(/canary|b\.test/)
    const opened = openRenewal(spent, renewal)!
    expect([opened.accessToken!.reveal(), opened.refreshToken!.reveal(), opened.identity.email]).toEqual([
      'at-canary-1',
      'rt-canary-1',
      'a@b.test',
    ])
    expect(openRenewal(new Secret('rt-canary-1'), renewal)).toBeNull()
    const changed = { ...renewal, box: `${renewal.box.slice(0, -2)}AA` }
    expect(openRenewal(spent, changed)).toBeNull()
    expect(openRenewal(spent, { ...renewal, box: '' })).toBeNull()
  })
})

describe('a holder that died before all was written', () => {
  const item = ['Claude Code-credentials', 'me'] as const
  const document = (n: number, expiresAt: number) =>
    JSON.stringify({
      claudeAiOauth: { accessToken: `at-canary-${n}`, refreshToken: `rt-canary-${n}`, expiresAt },
      mcpOAuth: { kept: true },
    })

  /** A file and a keychain item, and the note that a dead holder left. */
  async function left(renewal: Renewal, file: string, inItem: string) {
    const folder = tempFolder(cleanups, 'journal')
    const path = join(folder, '.claude', '.credentials.json')
    const keychain = memoryKeychain()
    let asked = 0
    const home = await openLoginHome({
      folder,
      keychain,
      env: { HOME: folder, USER: 'me' },
      fetch: () => {
        asked++
        return Promise.resolve(Response.json({ error: 'invalid_grant' }, { status: 400 }))
      },
    })
    cleanups.push(() => home.close())
    const { store } = await home.logins.foreign('claude-code')
    await Bun.write(path, file)
    await keychain.set(...item, inItem)
    const ledger = await takeLedger({
      platform: await detectPlatform(),
      clock: systemClock,
      path: store.lockPath,
      waitMs: 1_000,
      random: Math.random,
    })
    ledger.noteRenewal(renewal)
    ledger.release()
    expect(readFileSync(store.lockPath, 'latin1')).not.toContain('canary')
    const read = () =>
      home.logins.readForeign('claude-code', null, {}).then((reading) => reading.secret.reveal(), (error) => error.code)
    const inFile = () => JSON.parse(readFileSync(path, 'utf8'))
    const inChain = async () => JSON.parse((await keychain.get(...item))!)
    const chain = (text: string) => keychain.set(...item, text)
    return { read, inFile, inChain, asked: () => asked, path, chain }
  }

  const renewal = sealRenewal(new Secret('rt-canary-0'), grant(1))

  test('nothing was written: what is noted goes to every place, and nobody asks again', async () => {
    const at = await left(renewal, document(0, Date.now() - 1), document(0, Date.now() - 1))
    expect(await at.read()).toBe('at-canary-1')
    expect([at.inFile().claudeAiOauth.refreshToken, at.inFile().mcpOAuth]).toEqual(['rt-canary-1', { kept: true }])
    expect((await at.inChain()).claudeAiOauth.refreshToken).toBe('rt-canary-1')
    expect(at.asked()).toBe(0)
  })

  test('one place was written and the other not: both are, although nothing is over', async () => {
    const at = await left(renewal, document(1, Date.now() + 3_600_000), document(0, Date.now() - 1))
    expect(await at.read()).toBe('at-canary-1')
    expect((await at.inChain()).claudeAiOauth.refreshToken).toBe('rt-canary-1')
    expect(at.asked()).toBe(0)
  })

  test('the old token is still good: what is noted is written before a program beside us spends it again', async () => {
    const soon = Date.now() + 1_800_000
    const at = await left(renewal, document(0, soon), document(0, soon))
    expect(await at.read()).toBe('at-canary-1')
    expect(at.inFile().claudeAiOauth.refreshToken).toBe('rt-canary-1')
    expect(at.asked()).toBe(0)
  })

  test('somebody logged in anew meanwhile: theirs stays, and the note is dropped', async () => {
    const at = await left(renewal, document(7, Date.now() - 1), document(7, Date.now() - 1))
    // Over, and the vendor refuses it: the note must not come back in its place.
    expect(await at.read()).toBe('credential.login_required')
    expect(at.inFile().claudeAiOauth.refreshToken).toBe('rt-canary-7')
    // Nor later, should the old file come back from a backup.
    writeFileSync(at.path, document(0, Date.now() - 1))
    await at.chain(document(0, Date.now() - 1))
    expect(await at.read()).toBe('credential.login_required')
  })
})
