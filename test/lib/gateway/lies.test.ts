import { describe, expect, test } from 'bun:test'
import { sseParser } from '../../../lib/base/mod.ts'
import { type Telling, tellings } from './lies.ts'
import { play, type Played, type Speaker, speakers } from './play.ts'
import type { Script } from './scripted.ts'

// Upstreams that contradict themselves, for callers of every protocol, in streams that their answer begins and in streams
// that gw has begun itself; and upstreams that are odd and honest, which must pass.

/** One event a moment, so that what is wrong comes behind what has gone out. */
function script({ events, close }: Partial<Telling> & Pick<Telling, 'events'>, headMs: number): Script {
  return { headMs, steps: events.map((text) => [60, text] as const), close: close ?? 'open' }
}

/** The last event of a stream, and how many of its events end it. */
function ends(caller: Speaker, text: string): { readonly error: boolean; readonly count: number } {
  const parser = sseParser()
  const events = parser.push(new TextEncoder().encode(text)).filter(({ data }) => data !== '')
  expect(parser.pending, 'the last event is closed').toBe(false)
  const verdicts = events.map(({ event, data }) => verdict(caller, event, data))
  const last = verdicts.at(-1) === 'done' && verdicts.at(-2) === 'error' ? verdicts.at(-2) : verdicts.at(-1)
  return { error: last === 'error', count: verdicts.filter((said) => said === 'end' || said === 'error').length }
}

function verdict(caller: Speaker, event: string, data: string): 'error' | 'end' | 'done' | null {
  if (data === '[DONE]') return 'done'
  if (!data.startsWith('{')) return null
  const value = JSON.parse(data)
  switch (caller) {
    case 'openai-chat':
    case 'gemini':
      return value.error ? 'error' : null
    case 'anthropic-messages':
      return event === 'error' ? 'error' : value.type === 'message_stop' ? 'end' : null
    case 'openai-responses':
      if (event === 'error' || value.type === 'response.failed') return 'error'
      return /^response\.(completed|incomplete)$/.test(value.type) ? 'end' : null
  }
}

function isLie(caller: Speaker, played: Played): void {
  const { status, text, record } = played
  if (status === 200) {
    const { error, count } = ends(caller, text)
    expect([error, count], text).toEqual([true, 1])
    // Nothing that the upstream said behind its lie.
    expect(text).not.toContain('{{{{')
    expect(text).not.toContain('<html>')
    expect(record.outcome).toBe(played.observed.some((what) => what.startsWith('served')) ? 'truncated' : 'failed')
  } else {
    expect(status).toBe(502)
    expect(JSON.parse(text).error).toBeDefined()
    expect(record.outcome).toBe('failed')
  }
  expect(played.observed.some((what) => what.startsWith('failed a0')), 'the target is told').toBe(true)
}

function isHonest(caller: Speaker, played: Played): void {
  const { status, text, record } = played
  expect(status, text).toBe(200)
  expect(text.includes('"error":{') || /^event: (error|response\.failed)/m.test(text), text).toBe(false)
  expect(record.outcome).toBe('ok')
  void caller
}

for (const upstream of speakers) {
  const { honest, lies, weak } = tellings[upstream]
  for (const caller of speakers) {
    for (const headMs of [100, 6000]) {
      describe(`${caller} over ${upstream}${headMs > 5000 ? ', begun by gw' : ''}`, () => {
        for (const telling of lies) {
          test(`is told of a break: ${telling.title}`, async () => {
            const played = await play(caller, upstream, [script(telling, headMs)])
            isLie(caller, played)
            if (telling.close === undefined) expect(played.cancelled, 'the upstream is let go').toBe(true)
          })
        }
        for (const telling of [{ title: 'an honest answer', events: honest, close: 'end' as const }, ...weak]) {
          test(`is served: ${telling.title}`, async () => {
            isHonest(caller, await play(caller, upstream, [script({ close: 'end', ...telling }, headMs)]))
          })
        }
      })
    }
  }
}
