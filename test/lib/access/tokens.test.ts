import { expect, test } from 'bun:test'
import { operator } from '../../../lib/access/mod.ts'
import { Secret } from '../../../lib/base/mod.ts'
import { bearer, inHome, start } from './home.ts'

test('issue() makes a la_sk_ token that authenticates, from both headers and from our own', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const { token, info } = await access.issue({ label: 'laptop' }, operator)
    expect(token).toBeInstanceOf(Secret)
    const text = token.reveal()
    expect(text).toStartWith('la_sk_')
    for (
      const headers of [
        bearer(text),
        new Headers({ authorization: `bearer ${text}` }),
        new Headers({ 'x-api-key': text }),
        new Headers({ 'x-api-key': text, authorization: 'Bearer sk-ant-oat01-plan' }),
        new Headers({ 'x-gw-token': text, authorization: 'Bearer sk-ant-oat01-plan' }),
      ]
    ) {
      const principal = await access.authenticate(headers)
      expect(principal).toMatchObject({ id: info.id, token: info.id, label: 'laptop', kind: 'client' })
      expect(principal.limitedBy).toBeUndefined()
      expect([...principal.scopes].sort()).toEqual(['read', 'write'])
    }
  }))

test('a token without a request for its life gets 24 hours, and not a second more', () =>
  inHome(async ({ open, clock }) => {
    const { access } = await open()
    const { token, info } = await access.issue({}, operator)
    expect(info.expiresAt).toBe(start + 86_400_000)
    const headers = bearer(token.reveal())
    await access.authenticate(headers)
    await clock.advance(86_399_999)
    await access.authenticate(headers)
    await clock.advance(1)
    await expect(access.authenticate(headers)).rejects.toMatchObject({
      code: 'access.expired',
      message: 'Token has expired',
      status: 401,
    })
    // Not remembered either: a fresh look says the same.
    await expect(access.authenticate(headers)).rejects.toMatchObject({ code: 'access.expired' })
  }))

for (
  const [name, headers, code, message, status] of [
    ['nothing', {}, 'access.missing', /^Missing Authorization header with Bearer token/, 401],
    ['basic', { authorization: 'Basic Zm9vOmJhcg==' }, 'access.missing', /^Missing Authorization header/, 401],
    ['an empty bearer', { authorization: 'Bearer ' }, 'access.missing', /^Missing Authorization header/, 401],
    ['a foreign key', { authorization: 'Bearer sk-proj-123' }, 'access.invalid', /^Invalid token: .*la_sk_/, 401],
    ['garbage', { authorization: 'Bearer la_sk_garbage' }, 'access.invalid', /^Invalid token/, 401],
    ['SQL', { 'x-api-key': "la_sk_' or 1=1 --" }, 'access.invalid', /^Invalid token/, 401],
    ['a path', { 'x-api-key': 'la_sk_../../etc/passwd' }, 'access.invalid', /^Invalid token/, 401],
  ] as const
) {
  test(`authenticate() refuses ${name} with ${code}`, () =>
    inHome(async ({ open }) => {
      const { access } = await open()
      await expect(access.authenticate(new Headers(headers))).rejects.toMatchObject({
        code,
        message: expect.stringMatching(message),
        status,
      })
    }))
}

test('revoke() is felt at once here, at the next sync elsewhere, and survives a restart', () =>
  inHome(async ({ open }) => {
    const [one, two] = [await open(), await open()]
    const { token, info } = await one.access.issue({}, operator)
    const headers = bearer(token.reveal())
    await one.access.authenticate(headers)
    await two.access.authenticate(headers)
    expect(await one.access.revoke(info.id, operator)).toEqual({ revoked: info.id, ended: [info.id] })
    const refusal = { code: 'access.revoked', message: 'Token has been revoked', status: 403 }
    await expect(one.access.authenticate(headers)).rejects.toMatchObject(refusal)
    await two.access.sync()
    await expect(two.access.authenticate(headers)).rejects.toMatchObject(refusal)
    const three = await open()
    await expect(three.access.authenticate(headers)).rejects.toMatchObject(refusal)
    expect(await one.access.revoke(info.id, operator)).toEqual({ revoked: info.id, ended: [] })
    expect(await one.access.revoke('never-heard-of', operator)).toEqual({ revoked: 'never-heard-of', ended: [] })
  }))

test('revocation reaches another process within five seconds by itself', () =>
  inHome(async ({ open, clock }) => {
    const [one, two] = [await open(), await open()]
    two.access.start()
    const { token, info } = await one.access.issue({}, operator)
    const principal = await two.access.authenticate(bearer(token.reveal()))
    const over = Promise.withResolvers<void>()
    two.access.onEnd(principal, over.resolve)
    await one.access.revoke(info.id, operator)
    await clock.advance(5_000)
    await over.promise
    await expect(two.access.authenticate(bearer(token.reveal()))).rejects.toMatchObject({ code: 'access.revoked' })
  }))

test('revocation beats expiry', () =>
  inHome(async ({ open, clock }) => {
    const { access } = await open()
    const { token, info } = await access.issue({ ttlMs: 1_000 }, operator)
    await access.revoke(info.id, operator)
    await clock.advance(10_000)
    await expect(access.authenticate(bearer(token.reveal()))).rejects.toMatchObject({ code: 'access.revoked' })
  }))

test('onEnd() calls the live streams of a revoked token and of its children, once, and not those taken back', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const parent = await access.issue({ scopes: ['write', 'tokens'] }, operator)
    const maker = await access.authenticate(bearer(parent.token.reveal()))
    const child = await access.issue({}, maker)
    const childPrincipal = await access.authenticate(bearer(child.token.reveal()))
    const calls: string[] = []
    access.onEnd(maker, () => calls.push('parent'))
    access.onEnd(childPrincipal, () => calls.push('child'))
    access.onEnd(childPrincipal, () => calls.push('taken back'))()
    await access.revoke(parent.info.id, operator)
    await access.sync()
    expect(calls.sort()).toEqual(['child', 'parent'])
    await expect(access.authenticate(bearer(child.token.reveal()))).rejects.toMatchObject({ code: 'access.revoked' })
  }))

test('a token issued in another process works at once', () =>
  inHome(async ({ open }) => {
    const [one, two] = [await open(), await open()]
    const { token } = await one.access.issue({}, operator)
    expect((await two.access.authenticate(bearer(token.reveal()))).kind).toBe('client')
  }))

test('issue() fails when the token cannot be recorded, and then no token exists', () =>
  inHome(async ({ open }) => {
    const { access, storage } = await open()
    await storage.write((tx) => tx.schema.dropTable('tokens').execute())
    await expect(access.issue({}, operator)).rejects.toThrow(/no such table/)
  }))

test('createOwnerToken() gives everything, once in the life of a home', () =>
  inHome(async ({ open }) => {
    const [one, two] = [await open(), await open()]
    const made = await Promise.all([one.access.createOwnerToken(), two.access.createOwnerToken()])
    const owner = made.filter((token) => token !== null)
    expect(owner.length).toBe(1)
    expect(await one.access.createOwnerToken()).toBeNull()
    const principal = await two.access.authenticate(bearer(owner[0]!.token.reveal()))
    expect(principal.scopes.has('admin')).toBe(true)
    expect(principal.expiresAt).toBeNull()
    await one.access.revoke(owner[0]!.info.id, operator)
    expect(await one.access.createOwnerToken()).toBeNull()
  }))

test('list() shows newest first, in pages, and never a token', () =>
  inHome(async ({ open, clock }) => {
    const { access } = await open()
    for (let i = 0; i < 5; i++) {
      await access.issue({ label: `t${i}` }, operator)
      await clock.advance(1)
    }
    const first = await access.list({ limit: 2 }, operator)
    const second = await access.list({ limit: 2, cursor: first.next! }, operator)
    const third = await access.list({ limit: 2, cursor: second.next! }, operator)
    expect([first, second, third].map((page) => page.tokens.map((token) => token.label))).toEqual([
      ['t4', 't3'],
      ['t2', 't1'],
      ['t0'],
    ])
    expect(third.next).toBeNull()
    expect(JSON.stringify(first)).not.toContain('la_sk_')
  }))

test('a token of somebody else is not there: not shown, not listed, not revoked', () =>
  inHome(async ({ open }) => {
    const { access } = await open()
    const stranger = await access.issue({ label: 'stranger' }, operator)
    const mine = await access.issue({ scopes: ['tokens', 'write'], label: 'mine' }, operator)
    const me = await access.authenticate(bearer(mine.token.reveal()))
    const child = await access.issue({ label: 'child' }, me)
    await expect(access.show(stranger.info.id, me)).rejects.toMatchObject({ code: 'request.not_found', status: 404 })
    expect((await access.list({}, me)).tokens.map((token) => token.label).sort()).toEqual(['child', 'mine'])
    expect((await access.revoke(stranger.info.id, me)).ended).toEqual([])
    await access.authenticate(bearer(stranger.token.reveal()))
    expect((await access.show(child.info.id, me)).parent).toBe(mine.info.id)
    expect((await access.revoke(child.info.id, me)).ended).toEqual([child.info.id])
  }))

test('rotateKey() signs new tokens with a new key, keeps the tokens of the last ones and ends older ones', () =>
  inHome(async ({ open }) => {
    const [one, two] = [await open(), await open()]
    const tokens = [await one.access.issue({}, operator)]
    for (let i = 0; i < 2; i++) {
      await one.access.rotateKey(1)
      tokens.push(await one.access.issue({}, operator))
    }
    const fresh = await open()
    await expect(fresh.access.authenticate(bearer(tokens[0]!.token.reveal()))).rejects.toMatchObject({
      code: 'access.invalid',
    })
    for (const { token } of tokens.slice(1)) {
      expect((await two.access.authenticate(bearer(token.reveal()))).kind).toBe('client')
    }
  }))
