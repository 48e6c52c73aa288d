import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { Secret, silentLogger, systemClock } from '../../../lib/base/mod.ts'
import { createLoginSessions, exchangeForToken } from '../../../lib/credentials/mod.ts'
import type { TokenExchange } from '../../../lib/credentials/flows/exchange-token.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openSecretStore } from '../../../lib/secrets/mod.ts'
import { openLoginHome } from '../../support/login-home.ts'
import { type OidcIssuer, oidcIssuer } from '../../support/vendors/oidc.ts'
import { failure } from '../../support/failure.ts'
import { cleanUp, tempFolder } from '../../support/cleanups.ts'

let issuer: OidcIssuer
beforeAll(async () => {
  issuer = await oidcIssuer()
})
afterAll(() => issuer.close())

const cleanups = cleanUp()

async function home() {
  const folder = tempFolder(cleanups, 'oidc')
  const overrides = { corp: { issuer: issuer.issuer, client_id: 'gw', scopes: ['openid', 'email', 'offline_access'] } }
  const made = await openLoginHome({ folder, overrides })
  cleanups.push(() => made.close())
  const time = { aheadMs: 0 }
  const another = async () =>
    createLoginSessions({
      platform: await detectPlatform(),
      clock: { ...systemClock, now: () => Date.now() + time.aheadMs },
      fetch,
      logger: silentLogger,
      logins: made.logins,
      secrets: await openSecretStore({
        storage: made.storage,
        clock: systemClock,
        keyFile: join(folder, 'key'),
        keychain: null,
      }),
    })
  const sessions = await another()
  cleanups.push(() => sessions.close())
  const read = async (rejected?: string) =>
    (await made.logins.readLogin('corp', null, rejected ? { rejected: new Secret(rejected) } : {})).secret.reveal()
  return { ...made, sessions, another, time, read }
}

describe('against a certified OpenID provider', () => {
  test('a browser login with PKCE on an ephemeral port ends in a token that its issuer knows', async () => {
    const { sessions, read, logins } = await home()
    const session = await sessions.begin({ vendor: 'corp', method: 'browser' })
    expect(new URL(session.url).searchParams.get('code_challenge_method')).toBe('S256')
    const [page, login] = await Promise.all([issuer.visit(session.url, 'alice'), sessions.wait(session.id)])
    expect([page.status, login.vendor, login.canRefresh]).toEqual([200, 'corp', true])
    expect((await issuer.introspect(await read())).active).toBe(true)
    expect(login.identity.userId).toBe('alice')
    expect((await logins.list()).map((info) => info.where)).toEqual([login.where])
    const redirect = new URL(new URL(session.url).searchParams.get('redirect_uri')!)
    const knock = () => fetch(redirect).then(() => 'open', () => 'closed')
    while (await knock() === 'open') await systemClock.sleep(20)
    expect(await knock()).toBe('closed')
  })

  test('a callback with a wrong state does not end the wait', async () => {
    const { sessions } = await home()
    const session = await sessions.begin({ vendor: 'corp', method: 'browser' })
    const redirect = new URL(session.url).searchParams.get('redirect_uri')!
    for (const query of ['?code=x&state=wrong', '?error=access_denied', '?code=x', '']) {
      expect((await fetch(redirect + query)).status).toBe(400)
    }
    expect((await sessions.poll(session.id)).state).toBe('pending')
    expect((await fetch(redirect, { headers: { host: 'evil.test' } })).status).toBe(403)
    const [, login] = await Promise.all([issuer.visit(session.url, 'alice'), sessions.wait(session.id)])
    expect(login.problem).toBeNull()
  })

  test('an answer from another issuer ends the login without its code being sent anywhere', async () => {
    const { sessions } = await home()
    const session = await sessions.begin({ vendor: 'corp', method: 'browser' })
    const { searchParams } = new URL(session.url)
    const query = new URLSearchParams({ code: 'stolen', state: searchParams.get('state')!, iss: 'https://evil.test' })
    expect((await fetch(`${searchParams.get('redirect_uri')}?${query}`)).status).toBe(400)
    const state = await sessions.poll(session.id)
    expect(state.state === 'failed' && [state.error.code, state.error.message]).toEqual([
      'login.failed',
      'the answer comes from another issuer than corp',
    ])
  })

  test('a denied consent is its own error, and what was stored stays', async () => {
    const { sessions, read } = await home()
    const first = await sessions.begin({ vendor: 'corp', method: 'browser' })
    await Promise.all([issuer.visit(first.url, 'alice'), sessions.wait(first.id)])
    const before = await read()
    const second = await sessions.begin({ vendor: 'corp', method: 'browser' })
    await issuer.visit(second.url, 'alice', { deny: true })
    expect((await failure(sessions.wait(second.id))).code).toBe('login.denied')
    expect(await read()).toBe(before)
  })

  test("somebody else's login does not replace one unless that is asked for", async () => {
    const { sessions, logins } = await home()
    for (const [who, extra] of [['alice', {}], ['bob', {}], ['bob', { replace: true }]] as const) {
      const session = await sessions.begin({ vendor: 'corp', method: 'browser', ...extra })
      await issuer.visit(session.url, who)
      const state = await sessions.poll(session.id)
      if (who === 'bob' && !('replace' in extra)) {
        expect(state.state === 'failed' && state.error.code).toBe('request.conflict')
        expect((await logins.list())[0]!.identity.userId).toBe('alice')
      } else expect(state.state).toBe('done')
    }
    expect((await logins.list())[0]!.identity.userId).toBe('bob')
  })

  test('a pasted redirect completes a login that another process began', async () => {
    const { sessions, another } = await home()
    const session = await sessions.begin({ vendor: 'corp', method: 'paste' })
    const state = new URL(session.url).searchParams.get('state')!
    const other = await another()
    expect((await failure(other.complete(session.id, 'nonsense'))).code).toBe('request.invalid')
    expect((await failure(other.complete(session.id, 'code#otherstate'))).code).toBe('request.invalid')
    expect(state).not.toBe(new URL(session.url).searchParams.get('code_challenge'))
    const pasted = await (await issuer.visit(session.url, 'carol', { stay: true })).text()
    const ended = await other.complete(session.id, pasted)
    expect(ended.state === 'done' && ended.login.identity.userId).toBe('carol')
    expect((await sessions.poll(session.id)).state).toBe('done')
  })

  test('a device login obeys its interval and ends when the person has agreed', async () => {
    const { sessions, read, time } = await home()
    const session = await sessions.begin({ vendor: 'corp', method: 'device' })
    expect([session.userCode!.length > 6, session.intervalMs]).toEqual([true, 5_000])
    expect((await sessions.poll(session.id)).state).toBe('pending')
    await issuer.visit(session.url, 'dave', { userCode: session.userCode! })
    expect((await sessions.poll(session.id)).state).toBe('pending')
    time.aheadMs = 5_001
    const state = await sessions.poll(session.id)
    expect(state.state).toBe('done')
    expect((await issuer.introspect(await read())).active).toBe(true)
  })

  test('a rotated refresh token is spent once; presenting the spent one ends the grant at the issuer', async () => {
    const { sessions, read, logins } = await home()
    const session = await sessions.begin({ vendor: 'corp', method: 'browser' })
    await Promise.all([issuer.visit(session.url, 'erin'), sessions.wait(session.id)])
    const first = await read()
    const kept = logins.own('corp')
    const before = (await kept.store.read())!
    issuer.events.length = 0
    const renewed = await Promise.all(Array.from({ length: 32 }, () => read(first)))
    expect(new Set(renewed).size).toBe(1)
    expect(issuer.events).toEqual(['grant.success refresh_token'])
    // Put the spent token back, as a second copy of the login would have it: one refusal, one clear answer.
    await logins.save(kept, { ...before, expiresAt: 1 })
    const error = await failure(read())
    expect([error.code, error.hint]).toEqual(['credential.login_required', 'gw auth login corp'])
    expect(issuer.events.filter((event) => event.startsWith('grant.error')).length).toBe(1)
    expect((await issuer.introspect(renewed[0]!)).active).toBe(false)
  })

  test('a token is exchanged for one of another audience and scope; the login stays as it is', async () => {
    const { sessions, read, logins } = await home()
    const session = await sessions.begin({ vendor: 'corp', method: 'browser' })
    await Promise.all([issuer.visit(session.url, 'grace'), sessions.wait(session.id)])
    const before = await read()
    const kept = logins.own('corp')
    const context = { fetch, clock: systemClock, discovery: logins.discovery, clientSecret: () => null }
    const exchange = async (asked: Partial<TokenExchange> = {}) =>
      await exchangeForToken(kept.vendor, (await kept.store.read())!, { subject: 'access', ...asked }, context)
    const plain = await exchange()
    expect(plain.token.reveal()).not.toBe(before)
    expect(plain).toMatchObject({ type: 'urn:ietf:params:oauth:token-type:access_token', scopes: ['openid'] })
    expect(Math.abs(plain.expiresAt! - Date.now() - 60_000)).toBeLessThan(5_000)
    const narrow = await exchange({ resource: 'https://api.test/x', requested: 'access', scopes: ['openid', 'email'] })
    expect(await issuer.introspect(narrow.token.reveal())).toMatchObject({
      active: true,
      sub: 'grace',
      aud: 'https://api.test/x',
      scope: 'openid email',
    })
    const stranger = await failure(exchange({ audience: 'https://other.test' }))
    expect([stranger.code, stranger.details?.oauth]).toEqual(['login.failed', 'invalid_target'])
    expect((await failure(exchange({ requested: 'jwt' }))).details?.oauth).toBe('invalid_request')
    // A refusal that quotes the token does not bring it into the error.
    await logins.save(kept, { ...(await kept.store.read())!, accessToken: new Secret('canary-'.repeat(6)) })
    expect(JSON.stringify(await failure(exchange()))).not.toContain('canary')
    await logins.save(kept, { ...(await kept.store.read())!, accessToken: new Secret(before), idToken: null })
    expect((await failure(exchange({ subject: 'id' }))).code).toBe('credential.unavailable')
    expect(await read()).toBe(before)
    expect((await issuer.introspect(before)).active).toBe(true)
  })

  test('logging out revokes at the issuer and forgets here', async () => {
    const { sessions, read, logins } = await home()
    const session = await sessions.begin({ vendor: 'corp', method: 'browser' })
    await Promise.all([issuer.visit(session.url, 'frank'), sessions.wait(session.id)])
    const token = await read()
    expect(await logins.remove(logins.own('corp'))).toEqual({ removed: true, revoked: true })
    expect((await issuer.introspect(token)).active).toBe(false)
    expect((await failure(read())).code).toBe('credential.login_required')
    expect(await logins.list()).toEqual([])
  })
})
