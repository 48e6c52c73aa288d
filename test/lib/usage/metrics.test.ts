import { expect, test } from 'bun:test'
import type { AccountId, PrincipalId } from '../../../lib/base/mod.ts'
import { metricsContentType } from '../../../lib/usage/mod.ts'
import { aRecord, inUsage, start } from './home.ts'

/** A caller whom nobody knows: nothing was tried. */
const stranger = {
  principal: '' as PrincipalId,
  account: null,
  provider: null,
  status: 401,
  outcome: 'denied',
  attempts: [],
} as const

test('the metrics text has the names of the router and reads as the format of Prometheus', () =>
  inUsage({}, async ({ usage }) => {
    usage.record(aRecord())
    usage.record(aRecord({ surface: 'messages', status: 529, outcome: 'failed', costMicros: null }))
    usage.record(aRecord({ surface: 'responses' }))
    usage.record(aRecord({ ...stranger, requestBytes: 12, responseBytes: 34 }))
    usage.metrics.tokens('issued')
    usage.metrics.tokens('revoked', 3)
    usage.metrics.gauge('gw_live_streams', 'Streams now.', () => 7)
    const lines = usage.metrics.text().split('\n')
    for (
      const line of [
        '# TYPE link_assistant_requests_total counter',
        'link_assistant_requests_total 4',
        'link_assistant_errors_total 2',
        'link_assistant_bytes_in_total 2412',
        'link_assistant_bytes_out_total 6034',
        'link_assistant_openai_chat_completions_total 2',
        'link_assistant_openai_responses_total 1',
        'link_assistant_anthropic_messages_total 1',
        'link_assistant_tokens_issued_total 1',
        'link_assistant_tokens_revoked_total 3',
        'link_assistant_status_total{code="200"} 2',
        'link_assistant_status_total{code="401"} 1',
        'link_assistant_account_calls_total{account="acme-work"} 3',
        'gw_requests_total{surface="messages",provider="acme",outcome="failed"} 1',
        'gw_unpriced_requests_total{provider="acme"} 1',
        'gw_model_tokens_total{provider="acme",kind="cached_input"} 1200',
        'gw_cost_micros_total{provider="acme"} 2468',
        'gw_request_seconds_bucket{surface="chat",le="0.1"} 0',
        'gw_request_seconds_bucket{surface="chat",le="0.25"} 2',
        'gw_request_seconds_bucket{surface="chat",le="+Inf"} 2',
        'gw_request_seconds_count{surface="chat"} 2',
        'gw_live_streams 7',
      ]
    ) expect(lines).toContain(line)
    for (const line of lines.slice(0, -1)) {
      expect(line).toMatch(
        /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="([^"\\\n]|\\[\\"n])*"(,\w+="([^"\\\n]|\\[\\"n])*")*\})? [\d.]+)$/,
      )
    }
    expect(lines.at(-1)).toBe('')
    const typed = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2])
    expect(new Set(typed).size).toBe(typed.length)
    expect(metricsContentType).toBe('text/plain; version=0.0.4')
  }))

test('counters() is the JSON of the router', () =>
  inUsage({}, async ({ usage }) => {
    usage.record(aRecord())
    usage.record(aRecord({ ...stranger, requestBytes: 0, responseBytes: 0 }))
    expect(usage.metrics.counters()).toEqual({
      requests_total: 2,
      errors_total: 1,
      bytes_in: 800,
      bytes_out: 2_000,
      openai_chat_completions: 2,
      openai_responses: 0,
      anthropic_messages: 0,
      tokens_issued: 0,
      tokens_revoked: 0,
      status_counts: { 200: 1, 401: 1 },
      account_calls: { 'acme-work': 1 },
    })
  }))

test('labels from outside are escaped, and their number is bounded', () =>
  inUsage({}, async ({ usage }) => {
    usage.record(aRecord({ provider: 'a"b\\c\nd' }))
    for (let i = 0; i < 3_000; i++) {
      usage.record(
        aRecord({ surface: `s${i}`, attempts: [{ ...aRecord().attempts[0]!, account: `a${i}` as AccountId }] }),
      )
    }
    const text = usage.metrics.text()
    expect(text).toContain('provider="a\\"b\\\\c\\nd"')
    expect(text.split('\n').length).toBeLessThan(6_000)
  }))

test('a stranger is counted and added up, and not listed', () =>
  inUsage({}, async ({ usage }) => {
    usage.record(
      aRecord(stranger),
    )
    expect(usage.metrics.counters().status_counts).toEqual({ 401: 1 })
    expect((await usage.summary({ by: 'outcome', from: start, to: start + 1 })).rows).toMatchObject([
      { key: 'denied', requests: 1, unpriced: 0 },
    ])
    expect((await usage.requests({ from: start, to: start + 1 })).requests).toEqual([])
  }))

test('subscribers hear of each record', () =>
  inUsage({}, async ({ usage }) => {
    const heard: string[] = []
    const stop = usage.subscribe((record) => heard.push(record.id))
    const [one, two] = [aRecord(), aRecord()]
    usage.record(one)
    await usage.flush()
    stop()
    usage.record(two)
    await usage.flush()
    expect(heard).toEqual([one.id])
  }))
