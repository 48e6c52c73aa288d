import type { RequestRecord } from './record.ts'

/** Labels of one series. */
export type Labels = Readonly<Record<string, string>>

/** The counters of `/v1/usage`, by the names clients of older gateways read. */
export interface UsageCounters {
  readonly requests_total: number
  readonly errors_total: number
  readonly bytes_in: number
  readonly bytes_out: number
  readonly openai_chat_completions: number
  readonly openai_responses: number
  readonly anthropic_messages: number
  readonly tokens_issued: number
  readonly tokens_revoked: number
  readonly status_counts: Readonly<Record<string, number>>
  readonly account_calls: Readonly<Record<string, number>>
}

/** Numbers since the process started. */
export interface Metrics {
  /** A value that is read when somebody looks. */
  gauge(name: string, help: string, read: () => number | readonly { labels: Labels; value: number }[]): void
  /** Tokens made or ended. */
  tokens(what: 'issued' | 'revoked', by?: number): void
  /** The Prometheus text. */
  text(): string
  counters(): UsageCounters
}

/** What answers with {@link Metrics.text} must say. */
export const metricsContentType = 'text/plain; version=0.0.4'

const mostSeries = 1_000
/** Upper bounds in seconds. */
const buckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 900]

interface Family {
  readonly help: string
  readonly series: Map<string, Cell>
}

/** One series: found once, then only added to. */
interface Cell {
  value: number
}

interface Histogram {
  readonly counts: number[]
  sum: number
  total: number
}

const router = {
  chat: 'openai_chat_completions',
  responses: 'openai_responses',
  messages: 'anthropic_messages',
} as const satisfies Record<string, keyof UsageCounters>

/** {@link Metrics} that also take in records; that half is the usage room's own. */
export function createMetrics(drain: () => void): Metrics & { observe(record: RequestRecord): void } {
  const families = new Map<string, Family>()
  const gauges = new Map<string, { help: string; read: Parameters<Metrics['gauge']>[2] }>()
  const durations = new Map<string, Histogram>()
  const firstBytes = new Map<string, Histogram>()
  const statuses = new Map<string, number>()
  const accounts = new Map<string, number>()
  const totals = {
    requests_total: 0,
    errors_total: 0,
    bytes_in: 0,
    bytes_out: 0,
    openai_chat_completions: 0,
    openai_responses: 0,
    anthropic_messages: 0,
    tokens_issued: 0,
    tokens_revoked: 0,
  }

  function bump(map: Map<string, number>, key: string): void {
    const value = map.get(key)
    if (value !== undefined) map.set(key, value + 1)
    else if (map.size < mostSeries) map.set(key, 1)
    else map.set('other', (map.get('other') ?? 0) + 1)
  }

  function cell(name: string, help: string, labels: Labels): Cell {
    let family = families.get(name)
    if (!family) families.set(name, family = { help, series: new Map() })
    const { series } = family
    const text = (value: (label: string) => string) =>
      Object.keys(labels).map((label) => `${label}="${value(label)}"`).join(',')
    let key = text((label) => escape(labels[label]!))
    if (!series.has(key) && series.size >= mostSeries) key = text(() => 'other')
    let found = series.get(key)
    if (!found) series.set(key, found = { value: 0 })
    return found
  }

  /** The series that requests alike in these three add to, found once for all of them. */
  const alike = new Map<string, ReturnType<typeof cellsOf>>()
  const attempts = new Map<string, Cell>()

  function cellsOf(surface: string, provider: string, outcome: string) {
    const tokens = (kind: string): Cell =>
      cell('gw_model_tokens_total', 'Tokens as the upstreams counted them.', { provider, kind })
    const shadow = 'What plan logins would have cost by API key, in micro-USD; not part of the real cost.'
    return {
      requests: cell('gw_requests_total', 'Requests that have ended.', { surface, provider, outcome }),
      input: tokens('input'),
      cachedInput: tokens('cached_input'),
      cacheWrite: tokens('cache_write'),
      output: tokens('output'),
      reasoning: tokens('reasoning'),
      cost: cell('gw_cost_micros_total', 'Real cost in micro-USD.', { provider }),
      shadow: cell('gw_shadow_cost_micros_total', shadow, { provider }),
      unpriced: cell('gw_unpriced_requests_total', 'Requests served at a price nobody knows.', { provider }),
      estimated: cell('gw_estimated_requests_total', 'Requests whose tokens gw had to estimate.', { provider }),
    }
  }

  /** What `make` gives for a key, remembered for as many keys as there may be series. */
  function remembered<T>(map: Map<string, T>, key: string, make: () => T): T {
    let found = map.get(key)
    if (found === undefined) {
      found = make()
      if (map.size < mostSeries) map.set(key, found)
    }
    return found
  }

  function seen(surface: string, status: number, bytesIn: number, bytesOut: number): void {
    totals.requests_total++
    if (status >= 400) totals.errors_total++
    totals.bytes_in += bytesIn
    totals.bytes_out += bytesOut
    if (Object.hasOwn(router, surface)) totals[router[surface as keyof typeof router]]++
    bump(statuses, String(status))
  }

  function observeTime(map: Map<string, Histogram>, key: string, ms: number): void {
    let histogram = map.get(key)
    if (!histogram) {
      if (map.size >= 50) key = 'other'
      histogram = map.get(key) ?? { counts: buckets.map(() => 0), sum: 0, total: 0 }
      map.set(key, histogram)
    }
    const seconds = ms / 1000
    histogram.sum += seconds
    histogram.total++
    for (let i = 0; i < buckets.length; i++) {
      if (seconds <= buckets[i]!) {
        histogram.counts[i]!++
        break
      }
    }
  }

  const metrics: Metrics & { observe(record: RequestRecord): void } = {
    gauge: (name, help, read) => void gauges.set(name, { help, read }),
    tokens: (what, by = 1) => void (totals[`tokens_${what}`] += by),
    observe(record) {
      const { surface, tokens, provider } = record
      seen(surface, record.status, record.requestBytes, record.responseBytes)
      observeTime(durations, surface, record.durationMs)
      if (record.firstByteMs !== null) observeTime(firstBytes, surface, record.firstByteMs)
      const by = provider ?? ''
      const cells = remembered(
        alike,
        `${surface}\0${by}\0${record.outcome}`,
        () => cellsOf(surface, by, record.outcome),
      )
      cells.requests.value++
      for (const { provider, account, failure } of record.attempts) {
        bump(accounts, account)
        const result = failure ?? 'ok'
        remembered(
          attempts,
          `${provider}\0${account}\0${result}`,
          () => cell('gw_attempts_total', 'Calls to upstreams.', { provider, account, result }),
        ).value++
      }
      if (provider === null) return
      grow(cells.input, tokens.inputTokens)
      grow(cells.cachedInput, tokens.cachedInputTokens)
      grow(cells.cacheWrite, tokens.cacheWriteTokens)
      grow(cells.cacheWrite, tokens.cacheWrite1hTokens)
      grow(cells.output, tokens.outputTokens)
      grow(cells.reasoning, tokens.reasoningTokens)
      grow(cells.cost, record.costMicros)
      grow(cells.shadow, record.shadowCostMicros)
      if (record.costMicros === null && record.account !== null) cells.unpriced.value++
      if (record.estimated) cells.estimated.value++
    },
    counters() {
      drain()
      return {
        ...totals,
        status_counts: Object.fromEntries(statuses),
        account_calls: Object.fromEntries(accounts),
      }
    },
    text() {
      drain()
      const out: string[] = []
      const line = (name: string, labels: string, value: number): void => {
        out.push(`${name}${labels === '' ? '' : `{${labels}}`} ${Number.isFinite(value) ? value : 'NaN'}`)
      }
      for (
        const [name, help, value] of [
          ['requests_total', 'Requests.', totals.requests_total],
          ['errors_total', 'Answers with a status of 400 or more.', totals.errors_total],
          ['bytes_in_total', 'Bytes of request bodies.', totals.bytes_in],
          ['bytes_out_total', 'Bytes of answers.', totals.bytes_out],
          ['openai_chat_completions_total', 'Chat completions.', totals.openai_chat_completions],
          ['openai_responses_total', 'Responses.', totals.openai_responses],
          ['anthropic_messages_total', 'Messages.', totals.anthropic_messages],
          ['tokens_issued_total', 'Tokens issued.', totals.tokens_issued],
          ['tokens_revoked_total', 'Tokens revoked.', totals.tokens_revoked],
        ] as const
      ) {
        head(out, `link_assistant_${name}`, help, 'counter')
        line(`link_assistant_${name}`, '', value)
      }
      head(out, 'link_assistant_status_total', 'Answers by status.', 'counter')
      for (const [code, value] of statuses) line('link_assistant_status_total', `code="${code}"`, value)
      head(out, 'link_assistant_account_calls_total', 'Upstream calls by account.', 'counter')
      for (const [account, value] of accounts) {
        line('link_assistant_account_calls_total', `account="${escape(account)}"`, value)
      }
      for (const [name, { help, series }] of families) {
        head(out, name, help, 'counter')
        for (const [labels, { value }] of series) line(name, labels, value)
      }
      writeHistogram(out, 'gw_request_seconds', 'Time of a whole request.', durations)
      writeHistogram(out, 'gw_first_byte_seconds', 'Time to the first byte of an answer.', firstBytes)
      for (const [name, { help, read }] of gauges) {
        head(out, name, help, 'gauge')
        const value = read()
        if (typeof value === 'number') line(name, '', value)
        else {
          for (const one of value.slice(0, mostSeries)) {
            line(name, Object.entries(one.labels).map(([k, v]) => `${k}="${escape(v)}"`).join(','), one.value)
          }
        }
      }
      return `${out.join('\n')}\n`
    },
  }
  return metrics
}

/** A counter only goes forward, whatever an upstream claims. */
function grow(cell: Cell, by: number | null): void {
  if (by !== null && by > 0 && by < 1e12) cell.value += by
}

function head(out: string[], name: string, help: string, type: 'counter' | 'gauge' | 'histogram'): void {
  out.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
}

function writeHistogram(out: string[], name: string, help: string, series: ReadonlyMap<string, Histogram>): void {
  head(out, name, help, 'histogram')
  for (const [surface, { counts, sum, total }] of series) {
    const label = `surface="${escape(surface)}"`
    let below = 0
    for (let i = 0; i < buckets.length; i++) {
      below += counts[i]!
      out.push(`${name}_bucket{${label},le="${buckets[i]}"} ${below}`)
    }
    out.push(
      `${name}_bucket{${label},le="+Inf"} ${total}`,
      `${name}_sum{${label}} ${sum}`,
      `${name}_count{${label}} ${total}`,
    )
  }
}

/** @see Prometheus exposition format 0.0.4: backslash, quote and line feed are escaped */
function escape(value: string): string {
  return /[\\"\n\r]/.test(value)
    ? value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n').replace(/\r/g, '')
    : value
}
