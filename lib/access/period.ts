import { GwError } from '../base/mod.ts'

/** How often a budget starts over. */
export type Period =
  /** Every so many milliseconds, counted from the making of the token. */
  | { readonly unit: 'ms'; readonly count: number }
  /** At local midnight: of each day, each Monday, each first of a month, each first of January; or of every n-th. */
  | { readonly unit: 'day' | 'week' | 'month' | 'year'; readonly count: number }

/** A stretch of time: `startAt` is in it, `endAt` is not. Epoch ms. */
export interface Window {
  readonly startAt: number
  readonly endAt: number
}

/** A budget that never starts over. */
export const always: Window = { startAt: 0, endAt: Infinity }

const words: Readonly<Record<string, Period>> = {
  hourly: { unit: 'ms', count: 3_600_000 },
  daily: { unit: 'day', count: 1 },
  weekly: { unit: 'week', count: 1 },
  monthly: { unit: 'month', count: 1 },
  yearly: { unit: 'year', count: 1 },
}

/**
 * The period that a text such as `30s`, `12h`, `1d`, `7d`, `30d`, `2w`, `1mo`, `1y` or `monthly` means.
 *
 * Days, weeks, months and years are those of the calendar: `1d` begins at midnight, `7d` on Monday, `30d` on the first
 * of the month, as in LiteLLM; `24h` is 24 hours.
 *
 * @throws GwError `request.invalid`
 */
export function parsePeriod(text: string): Period {
  if (Object.hasOwn(words, text)) return words[text]!
  const match = /^([1-9]\d{0,5})(s|m|h|d|w|mo|y)$/.exec(text)
  if (!match) {
    throw new GwError('request.invalid', `budget_duration "${text.slice(0, 32)}" is no period`, {
      param: 'budget_duration',
      hint: 'write for example 12h, 1d, 7d, 30d or 1mo',
    })
  }
  const count = Number(match[1])
  switch (match[2]) {
    case 's':
      return { unit: 'ms', count: count * 1_000 }
    case 'm':
      return { unit: 'ms', count: count * 60_000 }
    case 'h':
      return { unit: 'ms', count: count * 3_600_000 }
    case 'w':
      return { unit: 'week', count }
    case 'mo':
      return { unit: 'month', count }
    case 'y':
      return { unit: 'year', count }
    default:
      if (count === 30) return { unit: 'month', count: 1 }
      return count % 7 === 0 ? { unit: 'week', count: count / 7 } : { unit: 'day', count }
  }
}

/**
 * The window of a period that `now` lies in.
 *
 * @param anchor when the token was made: where multiples are counted from
 * @param zone an IANA time zone
 */
export function windowOf(period: Period, now: number, anchor: number, zone: string): Window {
  const { unit, count } = period
  if (unit === 'ms') {
    const startAt = anchor + Math.floor((now - anchor) / count) * count
    return { startAt, endAt: startAt + count }
  }
  const [first, today] = [localDate(anchor, zone), localDate(now, zone)]
  const steps = Math.floor((indexOf(unit, today) - indexOf(unit, first)) / count) * count + indexOf(unit, first)
  return { startAt: startOfDate(dateAt(unit, steps), zone), endAt: startOfDate(dateAt(unit, steps + count), zone) }
}

interface LocalDate {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
}

const dayMs = 86_400_000
/** 1970-01-05, the first Monday, as a day number. */
const firstMonday = 4

const dayNumber = ({ year, month, day }: LocalDate): number => Date.UTC(year, month - 1, day) / dayMs

/** Calendar units since 1970, for counting steps. */
function indexOf(unit: 'day' | 'week' | 'month' | 'year', date: LocalDate): number {
  switch (unit) {
    case 'day':
      return dayNumber(date)
    case 'week':
      return Math.floor((dayNumber(date) - firstMonday) / 7)
    case 'month':
      return date.year * 12 + date.month - 1
    case 'year':
      return date.year
  }
}

/** The first date of a calendar unit. */
function dateAt(unit: 'day' | 'week' | 'month' | 'year', index: number): LocalDate {
  if (unit === 'month') return { year: Math.floor(index / 12), month: index % 12 + 1, day: 1 }
  if (unit === 'year') return { year: index, month: 1, day: 1 }
  const at = new Date((unit === 'day' ? index : index * 7 + firstMonday) * dayMs)
  return { year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, day: at.getUTCDate() }
}

function localDate(at: number, zone: string): LocalDate {
  const format = new Intl.DateTimeFormat('en-US', { timeZone: zone, year: 'numeric', month: 'numeric', day: 'numeric' })
  const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]))
  return { year: parts.year!, month: parts.month!, day: parts.day! }
}

/**
 * The first moment of a local date. Searched for, not computed: where clocks change at midnight the day begins at 01:00,
 * and no offset arithmetic knows that.
 */
function startOfDate(date: LocalDate, zone: string): number {
  const wanted = dayNumber(date)
  // No zone is further than 14 hours from UTC.
  let [before, from] = [wanted * dayMs - 15 * 3_600_000, wanted * dayMs + 15 * 3_600_000]
  while (from - before > 1) {
    const middle = Math.floor((before + from) / 2)
    if (dayNumber(localDate(middle, zone)) >= wanted) from = middle
    else before = middle
  }
  return from
}
