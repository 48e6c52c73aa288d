import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createHmac } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { accessConfig } from '../../../lib/access/config.ts'
import { createAccess, operator, readRouterTokens, type RouterToken } from '../../../lib/access/mod.ts'
import { decodeBin, decodeLino, encodeBin, encodeLino } from '../../../lib/access/router-files.ts'
import { isGwError, silentLogger } from '../../../lib/base/mod.ts'
import { bearer, inHome, start } from './home.ts'

const aToken: RouterToken = {
  id: '3f0c9c1e-52b9-4f43-9d3e-0d4d5bd9f0aa',
  label: 'CI "nightly" \\ back\nslash\ttab',
  issuedAt: 1_772_000_000,
  expiresAt: 1_772_086_400,
  revoked: false,
  account: 'account-1',
}

test('tokens.lino is two comment lines and one record per line, sorted by id', () => {
  const other = { ...aToken, id: '00000000-0000-4000-8000-000000000001', label: '', account: null, revoked: true }
  expect(encodeLino([aToken, other])).toBe(
    '# Link.Assistant.Router token store\n' +
      '# Format: (token <id> (label "…") (issued_at <int>) (expires_at <int>) (revoked true|false) (account "…"))\n' +
      '(token 00000000-0000-4000-8000-000000000001 (label "") (issued_at 1772000000) (expires_at 1772086400) (revoked true))\n' +
      '(token 3f0c9c1e-52b9-4f43-9d3e-0d4d5bd9f0aa (label "CI \\"nightly\\" \\\\ back\\nslash\\ttab") ' +
      '(issued_at 1772000000) (expires_at 1772086400) (revoked false) (account "account-1"))\n',
  )
})

test('tokens.bin is LARTOK01 and a little-endian length before each JSON record', () => {
  const bytes = Buffer.from(encodeBin([{ ...aToken, label: 'x', account: null }]))
  const json = `{"id":"${aToken.id}","label":"x","issued_at":1772000000,"expires_at":1772086400,"revoked":false}`
  expect(bytes.subarray(0, 8).toString()).toBe('LARTOK01')
  expect(bytes.readUInt32LE(8)).toBe(json.length)
  expect(bytes.subarray(12).toString()).toBe(json)
})

const tokens = fc.uniqueArray(
  fc.record({
    id: fc.uuid(),
    label: fc.string({ unit: 'binary', maxLength: 60 }).filter((text) => !/[\uD800-\uDFFF]/.test(text)),
    issuedAt: fc.nat(),
    expiresAt: fc.nat(),
    revoked: fc.boolean(),
    account: fc.option(fc.string({ maxLength: 20 })),
  }),
  { selector: (token) => token.id, maxLength: 8 },
)

test('both files give back what was written, whatever a label holds', () => {
  fc.assert(fc.property(tokens, (list) => {
    const sorted = [...list].sort((a, b) => a.id < b.id ? -1 : 1)
    expect(decodeLino(encodeLino(list))).toEqual(sorted)
    expect(decodeBin(encodeBin(list))).toEqual(sorted)
  }))
})

test('decoders raise nothing but errors of ours on any damage', () => {
  const text = encodeLino([aToken])
  const bytes = encodeBin([aToken])
  fc.assert(
    fc.property(fc.nat(), fc.nat(255), fc.string({ unit: 'binary', maxLength: 4 }), (at, byte, junk) => {
      const place = at % text.length
      const damaged = Uint8Array.from(bytes)
      damaged[at % bytes.length] = byte
      for (
        const decode of [
          () => decodeLino(text.slice(0, place) + junk + text.slice(place)),
          () => decodeLino(text.slice(0, place)),
          () => decodeBin(damaged),
          () => decodeBin(bytes.slice(0, at % bytes.length)),
        ]
      ) {
        try {
          decode()
        } catch (error) {
          expect(isGwError(error)).toBe(true)
        }
      }
    }),
    { numRuns: 1_000 },
  )
})

const record = '(token abc (label "l") (issued_at 1) (expires_at 2) (revoked false))'
for (
  const [name, text, why] of [
    ['an unknown field', record.replace('label', 'colour'), /line 1: has an unknown field: colour/],
    ['an unknown kind', `# c\n\n${record.replace('token', 'key')}`, /line 3: holds an unknown kind of record: key/],
    ['a field twice', record.replace('(revoked', '(label "x") (revoked'), /has label twice/],
    ['an id twice', `${record}\n${record}`, /token abc is there twice/],
    ['no expiry', record.replace('(expires_at 2) ', ''), /has no expires_at/],
    ['a time of words', record.replace('(issued_at 1)', '(issued_at soon)'), /has no issued_at/],
    ['an open quote', record.replace('"l"', '"l'), /without its closing quote/],
    ['an open parenthesis', record.slice(0, -1), /without its \)/],
    ['a parenthesis too many', `${record})`, /a \) too many/],
    ['an unknown escape', record.replace('"l"', '"\\q"'), /unknown escape/],
    ['a revocation that is neither', record.replace('false', 'maybe'), /neither true nor false/],
    ['a bare word', 'token', /is not one record/],
    ['an id that is a path', record.replace('abc', '../abc'), /has an id that is none/],
  ] as const
) {
  test(`decodeLino() refuses ${name}`, () => expect(() => decodeLino(text)).toThrow(why))
}

for (const [word, revoked] of [['true', true], ['1', true], ['yes', true], ['false', false], ['0', false]] as const) {
  test(`decodeLino() reads revoked ${word}`, () => {
    expect(decodeLino(record.replace('false', word))[0]!.revoked).toBe(revoked)
  })
}

test('decodeBin() takes a file shorter than its magic as empty and another magic as damage', () => {
  expect(decodeBin(new Uint8Array())).toEqual([])
  expect(decodeBin(Buffer.from('LARTOK0'))).toEqual([])
  expect(() => decodeBin(Buffer.from('LARTOK02'))).toThrow(/LARTOK01/)
})

test('storage_policy keeps copies beside the database, 0600, that follow every change', () =>
  inHome(async ({ open, folder, clock, keys }) => {
    const { storage } = await open()
    const mirrorFolder = join(folder, 'lr')
    const access = await createAccess({
      storage,
      clock,
      secrets: keys,
      logger: silentLogger,
      config: accessConfig.parse({ storage_policy: 'both' }),
      mirrorFolder,
    })
    const one = await access.issue({ label: 'one', account: 'account-1' }, operator)
    const two = await access.issue({ label: 'two', ttlMs: null }, operator)
    await access.revoke(one.info.id, operator)
    await access.close()
    const found = await readRouterTokens(mirrorFolder)
    expect(found.map(({ label, revoked, account, expiresAt }) => [label, revoked, account, expiresAt]).sort()).toEqual([
      ['one', true, 'account-1', start / 1000 + 86_400],
      ['two', false, null, 253_402_300_799],
    ])
    expect(decodeBin(await readFile(join(mirrorFolder, 'tokens.bin')))).toEqual(found)
    expect((await stat(join(mirrorFolder, 'tokens.lino'))).mode & 0o777).toBe(0o600)
    expect(JSON.stringify(found)).not.toContain(two.token.reveal())
  }))

test("importTokens() takes over a router's tokens: they work with its secret, and a revocation always counts", () =>
  inHome(async ({ open, folder }) => {
    const secret = 'V9mQ2tz7LkPw4XbR8sYdFh3JcN6gTaEu'
    const { access } = await open({ token_secret: secret })
    const now = start / 1000
    const good = { ...aToken, issuedAt: now - 60, expiresAt: now + 3_600 }
    const ended = { ...good, id: '00000000-0000-4000-8000-000000000002', revoked: true }
    await writeFile(join(folder, 'tokens.lino'), encodeLino([good]))
    await writeFile(join(folder, 'tokens.bin'), encodeBin([{ ...good, label: 'stale' }, ended]))
    const found = await readRouterTokens(folder)
    expect(found.map(({ id, label }) => [id, label])).toContainEqual([good.id, good.label])

    // As the router signs: no key id, and no jti.
    const sign = (id: string) => {
      const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
      const body = `${part({ typ: 'JWT', alg: 'HS256' })}.${
        part({ sub: id, iat: now - 60, exp: now + 3_600, label: 'x' })
      }`
      return bearer(`la_sk_${body}.${createHmac('sha256', secret).update(body).digest('base64url')}`)
    }
    await expect(access.authenticate(sign(good.id))).rejects.toMatchObject({ code: 'access.invalid' })
    expect(await access.importTokens(found, operator)).toEqual({ added: 2, revoked: 0, known: 0 })
    expect(await access.authenticate(sign(good.id))).toMatchObject({ label: good.label, account: 'account-1' })
    await expect(access.authenticate(sign(ended.id))).rejects.toMatchObject({ code: 'access.revoked' })
    expect(await access.importTokens([{ ...good, revoked: true }, ended], operator)).toEqual({
      added: 0,
      revoked: 1,
      known: 2,
    })
    await expect(access.authenticate(sign(good.id))).rejects.toMatchObject({ code: 'access.revoked' })
    const { tokens } = await access.list({}, operator)
    expect(tokens.every(({ revokedAt }) => revokedAt !== null)).toBe(true)
  }))
