import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { parsePeriod, type Window, windowOf } from '../../../lib/access/period.ts'

const at = (text: string): number => Date.parse(text)

for (
  const [period, zone, now, startAt, endAt] of [
    ['1d', 'UTC', '2026-03-10T13:00:00Z', '2026-03-10T00:00:00Z', '2026-03-11T00:00:00Z'],
    ['1d', 'UTC', '2026-03-10T00:00:00Z', '2026-03-10T00:00:00Z', '2026-03-11T00:00:00Z'],
    ['daily', 'Asia/Kolkata', '2026-03-10T13:00:00Z', '2026-03-09T18:30:00Z', '2026-03-10T18:30:00Z'],
    // 23 hours: clocks go forward.
    ['1d', 'Europe/Berlin', '2026-03-29T12:00:00Z', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z'],
    // 25 hours: clocks go back.
    ['1d', 'Europe/Berlin', '2026-10-25T12:00:00Z', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z'],
    ['1d', 'America/New_York', '2026-11-01T12:00:00Z', '2026-11-01T04:00:00Z', '2026-11-02T05:00:00Z'],
    // A day that has no midnight begins at 01:00.
    ['1d', 'Africa/Cairo', '2026-04-24T12:00:00Z', '2026-04-23T22:00:00Z', '2026-04-24T21:00:00Z'],
    ['7d', 'UTC', '2026-03-11T12:00:00Z', '2026-03-09T00:00:00Z', '2026-03-16T00:00:00Z'],
    ['weekly', 'UTC', '2026-03-15T23:59:59Z', '2026-03-09T00:00:00Z', '2026-03-16T00:00:00Z'],
    ['30d', 'UTC', '2026-02-28T12:00:00Z', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'],
    ['1mo', 'America/New_York', '2026-03-01T03:00:00Z', '2026-02-01T05:00:00Z', '2026-03-01T05:00:00Z'],
    ['1mo', 'America/New_York', '2026-03-20T03:00:00Z', '2026-03-01T05:00:00Z', '2026-04-01T04:00:00Z'],
    ['2mo', 'UTC', '2026-04-15T00:00:00Z', '2026-03-01T00:00:00Z', '2026-05-01T00:00:00Z'],
    ['1y', 'Pacific/Auckland', '2026-12-31T12:00:00Z', '2026-12-31T11:00:00Z', '2027-12-31T11:00:00Z'],
    ['2w', 'UTC', '2026-03-20T00:00:00Z', '2026-03-16T00:00:00Z', '2026-03-30T00:00:00Z'],
    ['2d', 'UTC', '2026-03-08T13:00:00Z', '2026-03-07T00:00:00Z', '2026-03-09T00:00:00Z'],
    ['12h', 'UTC', '2026-03-06T09:30:00Z', '2026-03-05T22:00:00Z', '2026-03-06T10:00:00Z'],
    ['30s', 'UTC', '2026-03-05T10:00:45Z', '2026-03-05T10:00:30Z', '2026-03-05T10:01:00Z'],
  ] as const
) {
  test(`a period of ${period} in ${zone} at ${now} began at ${startAt}`, () => {
    const made = at('2026-03-05T10:00:00Z')
    const window = windowOf(parsePeriod(period), at(now), made, zone)
    expect([new Date(window.startAt), new Date(window.endAt)]).toEqual([new Date(startAt), new Date(endAt)])
  })
}

for (
  const text of ['', '0d', '1', 'd', '-1d', '1.5h', '1d ', '99999999d', '1 d', 'fortnight', '__proto__', 'constructor']
) {
  test(`parsePeriod(${JSON.stringify(text)}) is refused`, () => {
    expect(() => parsePeriod(text)).toThrow(/is no period/)
  })
}

test('windows follow one another without gap or overlap, whatever the zone', () => {
  const zones = ['UTC', 'Europe/Berlin', 'America/St_Johns', 'Africa/Cairo', 'Australia/Lord_Howe', 'Pacific/Apia']
  fc.assert(
    fc.property(
      fc.constantFrom('1d', '3d', '7d', '2w', '1mo', '5mo', '1y', '36h'),
      fc.constantFrom(...zones),
      fc.integer({ min: at('2011-01-01T00:00:00Z'), max: at('2035-01-01T00:00:00Z') }),
      fc.integer({ min: 0, max: 400 * 86_400_000 }),
      (text, zone, made, later) => {
        const period = parsePeriod(text)
        const now = made + later
        const window = windowOf(period, now, made, zone)
        expect(window.startAt).toBeLessThanOrEqual(now)
        expect(window.endAt).toBeGreaterThan(now)
        const next: Window = windowOf(period, window.endAt, made, zone)
        expect(next.startAt).toBe(window.endAt)
        expect(windowOf(period, window.startAt, made, zone)).toEqual(window)
      },
    ),
    { numRuns: 60 },
  )
}, 60_000)
