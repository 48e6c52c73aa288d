import { expect, test } from 'bun:test'
import { accessConfig } from '../../../lib/access/config.ts'
import { type Access, createAccess, operator } from '../../../lib/access/mod.ts'
import { Secret, silentLogger } from '../../../lib/base/mod.ts'
import { bearer, inHome } from './home.ts'

const long = 'V9mQ2tz7LkPw4XbR8sYdFh3JcN6gTaEu'

for (
  const [name, token_secret, message] of [
    ['empty', '', /TOKEN_SECRET is empty/],
    ['blank', '   ', /TOKEN_SECRET is empty/],
    ['short', 'k3$Qz9', /has 6 bytes/],
    ['one byte short', long.slice(1), /has 31 bytes/],
    ['an example', 'your-secret-key-goes-right-here-123', /example/],
    ['a placeholder', 'please-change-me-before-you-deploy!!', /example/],
    ['one letter', 'a'.repeat(64), /easy to guess/],
    ['a row of numbers', '01234567890123456789012345678901', /example|guess/],
  ] as const
) {
  test(`createAccess() refuses a TOKEN_SECRET that is ${name}`, () =>
    inHome(async ({ open }) => {
      await expect(open({ token_secret })).rejects.toMatchObject({
        code: 'config.invalid',
        message: expect.stringMatching(message),
        exit: 200,
      })
    }))
}

test('a configured secret signs, is shared with others who have it, and keeps the tokens of our own keys good', () =>
  inHome(async ({ open }) => {
    const before = await open()
    const old = await before.access.issue({}, operator)
    const one = await open({ token_secret: long })
    const made = await one.access.issue({}, operator)
    const two = await open({ token_secret: long })
    for (const { token } of [old, made]) {
      expect((await two.access.authenticate(bearer(token.reveal()))).kind).toBe('client')
    }
    await expect(before.access.authenticate(bearer(made.token.reveal()))).rejects.toMatchObject({
      code: 'access.invalid',
    })
    await expect(one.access.rotateKey()).rejects.toMatchObject({ code: 'request.unsupported' })
  }))

test('configured tokens, the server token and the admin key act by their scopes', () =>
  inHome(async ({ open }) => {
    const { access } = await open({
      server_token: 'legacy-server-token-value',
      admin_key: 'the-admin-key-of-a-router',
      tokens: {
        laptop: { token: 'static-token-of-a-laptop', scopes: ['read'], label: 'Laptop' },
        boss: { token: 'static-token-of-the-boss', admin: true },
        gone: { token: 'static-token-of-nobody!', enabled: false },
      },
    })
    const who = async (token: string) => {
      const { id, label, scopes } = await access.authenticate(bearer(token))
      return [id, label, scopes.has('write'), scopes.has('admin')] as const
    }
    expect(await who('legacy-server-token-value')).toEqual([
      'config:legacy-server-token' as never,
      'legacy-admin',
      true,
      true,
    ])
    expect(await who('the-admin-key-of-a-router')).toEqual(['config:admin-key' as never, 'admin key', true, true])
    expect(await who('static-token-of-a-laptop')).toEqual(['config:laptop' as never, 'Laptop', false, false])
    expect(await who('static-token-of-the-boss')).toEqual(['config:boss' as never, 'boss', true, true])
    await expect(who('static-token-of-nobody!')).rejects.toMatchObject({ code: 'access.invalid' })
    await expect(who('static-token-of-a-laptoq')).rejects.toMatchObject({ code: 'access.invalid' })
  }))

test('what a configured token makes has no parent and may do no more', () =>
  inHome(async ({ open }) => {
    const { access } = await open({
      tokens: { team: { token: 'static-token-of-a-team', scopes: ['write', 'tokens'] } },
    })
    const by = await access.authenticate(bearer('static-token-of-a-team'))
    const { info } = await access.issue({ label: 'member' }, by)
    expect(info).toMatchObject({ parent: null, issuer: 'config:team' })
    await expect(access.issue({ scopes: ['admin'] }, by)).rejects.toMatchObject({ code: 'access.denied' })
    expect((await access.list({}, by)).tokens).toEqual([])
  }))

for (
  const [name, config] of [
    ['a short token', { tokens: { a: { token: 'short' } } }],
    ['a short server token', { server_token: 'abc' }],
    ['an empty admin key', { admin_key: '' }],
    ['two entries of one value', { tokens: { a: { token: 'one-value-for-two' }, b: { token: 'one-value-for-two' } } }],
    ['a token that is the server token', {
      server_token: 'one-value-for-two',
      tokens: { a: { token: 'one-value-for-two' } },
    }],
  ] as const
) {
  test(`createAccess() refuses ${name}`, () =>
    inHome(async ({ open }) => {
      await expect(open(config)).rejects.toMatchObject({ code: 'config.invalid' })
    }))
}

test('legacy_admin = false refuses the server token', () =>
  inHome(async ({ open }) => {
    const { access } = await open({ server_token: 'legacy-server-token-value', legacy_admin: false })
    await expect(access.authenticate(bearer('legacy-server-token-value'))).rejects.toMatchObject({
      code: 'access.invalid',
    })
  }))

test('nobody gets in without a token, but for the switch, on loopback, while there has never been one', () =>
  inHome(async ({ open }) => {
    const nobody = new Headers()
    const closed = await open()
    await expect(closed.access.authenticate(nobody, { loopback: true })).rejects.toMatchObject({
      code: 'access.missing',
    })
    const { access } = await open({ anonymous: true })
    await expect(access.authenticate(nobody)).rejects.toMatchObject({ code: 'access.missing' })
    await expect(access.authenticate(nobody, { loopback: false })).rejects.toMatchObject({ code: 'access.missing' })
    expect(await access.authenticate(nobody, { loopback: true })).toMatchObject({ kind: 'anonymous', id: 'anonymous' })
    await expect(access.authenticate(bearer('whatever'), { loopback: true })).rejects.toMatchObject({
      code: 'access.invalid',
    })
    const { info } = await closed.access.issue({}, operator)
    await expect(access.authenticate(nobody, { loopback: true })).rejects.toMatchObject({ code: 'access.missing' })
    await closed.access.revoke(info.id, operator)
    await expect(access.authenticate(nobody, { loopback: true })).rejects.toMatchObject({ code: 'access.missing' })
    const configured = await open({ anonymous: true, server_token: 'legacy-server-token-value' })
    await expect(configured.access.authenticate(nobody, { loopback: true })).rejects.toMatchObject({
      code: 'access.missing',
    })
  }))

test('configure() puts new configured tokens in force at once and leaves the old ones when it cannot', () =>
  inHome(async ({ open }) => {
    const { access } = await open({ tokens: { a: { token: 'static-token-number-1' } } })
    expect(() => access.configure(accessConfig.parse({ tokens: { a: { token: 'short' } } }))).toThrow(/fewer than/)
    await access.authenticate(bearer('static-token-number-1'))
    access.configure(accessConfig.parse({ tokens: { a: { token: 'static-token-number-2' } } }))
    await access.authenticate(bearer('static-token-number-2'))
    await expect(access.authenticate(bearer('static-token-number-1'))).rejects.toMatchObject({ code: 'access.invalid' })
  }))

test('the config refuses a time zone that is none, and prints no secret', () => {
  expect(() => accessConfig.parse({ time_zone: 'Mars/Olympus' })).toThrow(/IANA/)
  expect(JSON.stringify(accessConfig.parse({ token_secret: long, server_token: long }))).not.toContain(long)
})

test('an unknown key id is looked for again, so that a rotation elsewhere is seen, but not on every request', () =>
  inHome(async ({ open, clock, keys, folder }) => {
    const { access, storage } = await open()
    const first = await access.issue({}, operator)
    await access.authenticate(bearer(first.token.reveal()))
    let reads = 0
    const counting = await createAccess({
      storage,
      clock,
      config: accessConfig.parse({}),
      mirrorFolder: folder,
      logger: silentLogger,
      secrets: {
        ...keys,
        keys: (name) => {
          reads++
          return keys.keys(name)
        },
      },
    })
    await counting.authenticate(bearer(first.token.reveal()))
    await access.rotateKey()
    const second = await access.issue({}, operator)
    await clock.advance(1_000)
    await counting.authenticate(bearer(second.token.reveal()))
    expect(reads).toBe(2)
    const [header, payload] = second.token.reveal().split('.')
    const forged = `la_sk_${Buffer.from('{"alg":"HS256","kid":"nobody"}').toString('base64url')}.${payload}.${
      header!.slice(6)
    }`
    for (let i = 0; i < 20; i++) await counting.authenticate(bearer(forged)).catch(() => {})
    expect(reads).toBeLessThanOrEqual(3)
    await counting.close()
  }))

test('setServerToken(): one value lets everybody in with every right, in all processes of the home, until it is taken away', () =>
  inHome(async ({ open, keys }) => {
    const [{ access: ours }, { access: theirs }] = [await open(), await open()]
    const value = 'a-value-of-my-own-0123'
    const refused = (access: Access, token: string) =>
      access.authenticate(bearer(token)).then(() => null, (error) => error.code)
    expect(await refused(theirs, value)).toBe('access.invalid')
    expect(await ours.setServerToken(new Secret(value))).toBe(true)
    expect(await ours.setServerToken(new Secret(value))).toBe(false)
    expect((await keys.get('access/server-token'))?.reveal()).not.toContain(value)
    await theirs.sync()
    for (const access of [ours, theirs]) {
      expect((await access.authenticate(bearer(value))).scopes.has('admin')).toBe(true)
    }
    expect(await ours.setServerToken(new Secret('another-of-my-own-4567'))).toBe(true)
    expect(await refused(ours, value)).toBe('access.invalid')
    for (const bad of ['short', ` ${value}`]) {
      expect(await ours.setServerToken(new Secret(bad)).catch((error) => error.code)).toBe('request.invalid')
    }
    expect(await ours.setServerToken(null)).toBe(true)
    await theirs.sync()
    expect(await refused(theirs, 'another-of-my-own-4567')).toBe('access.invalid')
    const { access: strict } = await open({ legacy_admin: false })
    expect(await strict.setServerToken(new Secret(value)).catch((error) => error.code)).toBe('request.conflict')
  }))
