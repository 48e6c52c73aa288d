import { expect, test } from 'bun:test'
import { Buffer } from 'node:buffer'
import { createHmac } from 'node:crypto'
import { operator } from '../../../lib/access/mod.ts'
import cases from '../../fixtures/hostile/jwt/cases.json' with { type: 'json' }
import { bearer, inHome, start } from './home.ts'

interface Case {
  readonly name: string
  readonly header?: string
  readonly payload?: string
  readonly signature?: string
  readonly text?: string
  readonly code?: string
}

const encode = (text: string): string =>
  (text.startsWith('\0raw:') ? Buffer.from(text.slice(5), 'hex') : Buffer.from(text, 'utf8')).toString('base64url')

const hmac = (key: Uint8Array | string, text: string, hash = 'sha256'): Buffer =>
  createHmac(hash, key).update(text).digest()

/** How a case makes its signature from the key, the signed text and the parts. */
const signatures: Readonly<Record<string, (key: Uint8Array, signed: string, kid: string) => string>> = {
  'good': (key, signed) => hmac(key, signed).toString('base64url'),
  'empty': () => '',
  'hs384': (key, signed) => hmac(key, signed, 'sha384').toString('base64url'),
  'hs512': (key, signed) => hmac(key, signed, 'sha512').toString('base64url'),
  'public-key': (_, signed) =>
    hmac('-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n', signed).toString('base64url'),
  'other-key': (_, signed) => hmac(new Uint8Array(32).fill(7), signed).toString('base64url'),
  'empty-key': (_, signed) => hmac('', signed).toString('base64url'),
  'ones-key': (_, signed) => hmac(new Uint8Array(32).fill(255), signed).toString('base64url'),
  'kid-key': (_, signed, kid) => hmac(kid, signed).toString('base64url'),
  'cut': (key, signed) => hmac(key, signed).subarray(1).toString('base64url'),
  'longer': (key, signed) => Buffer.concat([hmac(key, signed), Buffer.from([0])]).toString('base64url'),
  'flip': (key, signed) => {
    const bytes = hmac(key, signed)
    bytes[31]! ^= 1
    return bytes.toString('base64url')
  },
  'zeros': () => Buffer.alloc(32).toString('base64url'),
  'padded': (key, signed) => `${hmac(key, signed).toString('base64url')}=`,
  // The letters that only plain base64 has.
  'base64': (key, signed) => `+/${hmac(key, signed).toString('base64url').slice(2)}`,
  'spare': (key, signed) => {
    // 32 bytes leave two spare bits in the last letter; set, they decode to the same bytes.
    const text = hmac(key, signed).toString('base64url')
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    return text.slice(0, -1) + letters[letters.indexOf(text.at(-1)!) | 1]!
  },
  'space': (key, signed) => hmac(key, signed).toString('base64url').replace(/^(.{10})/, '$1 '),
  'payload-only': (key, signed) => hmac(key, signed.split('.')[1]!).toString('base64url'),
  'other-payload': (key, signed) => hmac(key, `${signed}x`).toString('base64url'),
}

test('every hostile token is refused for its own reason, and the good one beside it is not', () =>
  inHome(async ({ open, keys }) => {
    const { access } = await open()
    const { token, info } = await access.issue({ label: 'x' }, operator)
    const key = (await keys.keys('access'))[0]!
    const fill = (text: string) =>
      text.replaceAll('{ID}', info.id).replaceAll('{KID}', key.kid).replaceAll('{IAT}', String(start / 1000))
        .replaceAll('{EXP}', String(start / 1000 + 3600)).replaceAll('{TOKEN}', token.reveal().slice(6))

    const built = (one: Case): string => {
      if (one.text !== undefined) return fill(one.text)
      const signed = `${encode(fill(one.header!))}.${encode(fill(one.payload!))}`
      return `la_sk_${signed}.${signatures[one.signature!]!(key.bytes, signed, key.kid)}`
    }

    expect(cases.length).toBeGreaterThanOrEqual(60)
    expect(new Set(cases.map((one) => one.name)).size).toBe(cases.length)
    const texts = new Set<string>()
    for (const one of cases as readonly Case[]) {
      const text = built(one)
      expect([one.name, texts.has(text)]).toEqual([one.name, false])
      texts.add(text)
      const verdict = await access.authenticate(bearer(text)).then(() => 'accepted', (error) => error.code)
      expect([one.name, verdict]).toEqual([one.name, one.code ?? 'access.invalid'])
    }
    const good = {
      name: 'good',
      header: '{"alg":"HS256","typ":"JWT","kid":"{KID}"}',
      payload: '{"sub":"{ID}","jti":"{ID}","iat":{IAT},"exp":{EXP},"label":"x"}',
      signature: 'good',
    }
    expect((await access.authenticate(bearer(built(good)))).token).toBe(info.id)
  }))

test('a token that names a wider grant than its record gets the record', () =>
  inHome(async ({ open, keys }) => {
    const { access } = await open()
    const { info } = await access.issue({ scopes: ['read'], models: ['small'] }, operator)
    const key = (await keys.keys('access'))[0]!
    const claims = { sub: info.id, iat: start / 1000, scopes: ['admin'], scope: 'admin', models: null, label: 'x' }
    const signed = `${encode(JSON.stringify({ alg: 'HS256', kid: key.kid }))}.${encode(JSON.stringify(claims))}`
    const principal = await access.authenticate(
      bearer(`la_sk_${signed}.${hmac(key.bytes, signed).toString('base64url')}`),
    )
    expect([...principal.scopes]).toEqual(['read'])
    expect(principal.models).toEqual(['small'])
    // No exp in the token: the record's own end still holds.
    expect(principal.expiresAt).toBe(info.expiresAt)
  }))
