import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { inspect } from 'node:util'
import {
  backoffMs,
  canonicalJson,
  errorCodes,
  GwError,
  isGwError,
  jsonLogger,
  longestWaitMs,
  newId,
  parseJson,
  parseJsonObject,
  parseRetryAfter,
  redact,
  Secret,
  singleFlight,
  toGwError,
} from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'

describe('parseRetryAfter()', () => {
  for (
    const [header, expected] of [
      ['2', 2_000],
      ['0', 0],
      ['1.5', 1_500],
      ['soon', undefined],
      ['', undefined],
      ['-5', undefined],
      ['Thu, 01 Jan 1970 00:00:05 GMT', 5_000],
      ['Wed, 31 Dec 1969 23:59:00 GMT', 0],
      ['Fri, 31 Dec 9999 23:59:59 GMT', longestWaitMs],
      ['99999999999999999999', longestWaitMs],
    ] as const
  ) {
    test(`${JSON.stringify(header)} is ${expected}`, () => expect(parseRetryAfter(header, 0)).toBe(expected))
  }
})

test('backoffMs() stays between nothing and its cap', () => {
  fc.assert(fc.property(fc.nat(2_000), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, random) => {
    const wait = backoffMs(attempt, 100, 30_000, random)
    expect(wait).toBeGreaterThanOrEqual(0)
    expect(wait).toBeLessThanOrEqual(30_000)
  }))
})

describe('Secret', () => {
  const secret = new Secret('sk-live-very-private')
  for (
    const [how, print] of [
      ['a template', () => `${secret}`],
      ['JSON', () => JSON.stringify({ secret })],
      ['the inspector', () => inspect({ secret })],
      ['Bun', () => Bun.inspect({ secret })],
      ['keys and values', () => JSON.stringify(Object.entries(secret))],
    ] as const
  ) {
    test(`does not show in ${how}`, () => expect(print()).not.toContain('private'))
  }
  test('comes out only by reveal()', () => expect(secret.reveal()).toBe('sk-live-very-private'))
})

describe('jsonLogger()', () => {
  const lines: string[] = []
  const logger = jsonLogger((line) => lines.push(line), { now: () => 0 })
  const logged = (fields: Record<string, unknown>) => {
    lines.length = 0
    logger.log('warn', 'test.event', { request: 'req_1', ...fields })
    return lines[0]!
  }

  test('writes one line with time, level, event and fields', () => {
    expect(JSON.parse(logged({ count: 3 }))).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      level: 'warn',
      event: 'test.event',
      request: 'req_1',
      count: 3,
    })
  })
  for (
    const fields of [
      { authorization: 'Bearer abcdefghijkl' },
      { headers: { 'x-api-key': 'canary-value' } },
      { nested: { refresh_token: 'canary-value' } },
      { message: 'sent sk-canary-value-123456 to the provider' },
      { error: new Error('bad token la_sk_eyJhbGciOiJIUzI1NiJ9.canary.value') },
      { text: 'authorization: Bearer canary-value' },
      { list: ['ghp_canaryvalue0123456789'] },
      { value: new Secret('canary-value') },
    ]
  ) {
    test(`hides the secret in ${Object.keys(fields)}`, () => expect(logged(fields)).not.toMatch(/canary|abcdefghijkl/))
  }
  test('stays one line whatever a field holds', () => {
    // deno-lint-ignore no-control-regex
    expect(logged({ text: 'a\nb\r\u2028c\u0007' })).not.toMatch(/[\n\r\u2028\u0007]/)
  })
  test('says nothing below its level', () => {
    lines.length = 0
    logger.log('debug', 'quiet')
    expect(lines).toEqual([])
  })
})

test('redact() leaves the words that gw puts behind Bearer, and nothing that begins like them', () => {
  const said = 'Missing Authorization header with Bearer token (or x-api-key); send Authorization: Bearer la_sk_…; now'
  expect(redact(said)).toBe(said)
  for (const secret of ['token123', 'token-abc', 'token.x', 'tokenized', 'la_sk_x']) {
    expect(redact(`Bearer ${secret}`)).toBe('Bearer [secret]')
  }
})

test('redact() cuts long text', () => expect(redact('x'.repeat(9_000)).length).toBeLessThan(4_200))

describe('parseJson()', () => {
  test('refuses what is no JSON, with the position', () => {
    expect(() => parseJson('{"a":')).toThrow(/body is not valid JSON/)
  })
  test('refuses a document that nests too deep instead of overflowing', () => {
    expect(() => parseJson('['.repeat(100_000))).toThrow(/nests deeper/)
  })
  test('does not count brackets inside strings', () => {
    expect(parseJson(JSON.stringify({ a: '['.repeat(1_000) + '\\"' }))).toBeTruthy()
  })
  test('refuses an array where an object is needed', () => {
    expect(() => parseJsonObject('[]', 'config')).toThrow('config must be a JSON object')
  })
})

test('canonicalJson() is the same for equal values and parses back', () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const text = canonicalJson(value as never)
    expect(canonicalJson(JSON.parse(text))).toBe(text)
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
  }))
  expect(canonicalJson({ b: 1, a: [{ d: 1, c: null }] })).toBe('{"a":[{"c":null,"d":1}],"b":1}')
})

describe('GwError', () => {
  test('carries its status and exit code', () => {
    const error = new GwError('route.none', 'nothing selectable')
    expect([error.status, error.exit]).toEqual([503, 201])
  })
  test('is told apart by code, across copies of the class', () => {
    const other = Object.assign(new Error('x'), { name: 'GwError', code: 'internal' })
    expect(isGwError(other)).toBe(true)
    expect(isGwError(new Error('x'))).toBe(false)
  })
  test('wraps what is not ours', () => {
    expect(toGwError(new Error('boom')).code).toBe('internal')
    expect(toGwError(new DOMException('gone', 'AbortError')).code).toBe('cancelled')
  })
  test('has a usable row for every code', () => {
    for (const [code, row] of Object.entries(errorCodes)) {
      expect([code, row.status >= 400 && row.status < 600]).toEqual([code, true])
      expect([code, [1, 2, 130, 200, 201, 202, 203, 204].includes(row.exit)]).toEqual([code, true])
    }
  })
})

test('newId() sorts by time and does not repeat', () => {
  const ids = Array.from({ length: 1_000 }, (_, i) => newId<string>('req', 1_700_000_000_000 + i))
  expect([...ids].sort()).toEqual(ids)
  expect(new Set(ids).size).toBe(1_000)
})

test('singleFlight() runs once per key and gives everyone the result', async () => {
  const flight = singleFlight<number>()
  let runs = 0
  const work = () => Promise.resolve(++runs)
  expect(await Promise.all([flight.run('a', work), flight.run('a', work), flight.run('b', work)])).toEqual([1, 1, 2])
  expect(await flight.run('a', work)).toBe(3)
})

describe('manualClock()', () => {
  test('wakes sleepers in order', async () => {
    const clock = manualClock()
    const woken: number[] = []
    for (const ms of [30, 10, 20]) clock.sleep(ms).then(() => woken.push(ms))
    await clock.advance(25)
    expect(woken).toEqual([10, 20])
  })
  test('lets a signal end a sleep', async () => {
    const clock = manualClock()
    const abort = new AbortController()
    const sleeping = clock.sleep(1_000, abort.signal)
    abort.abort(new Error('enough'))
    await expect(sleeping).rejects.toThrow('enough')
  })
})
