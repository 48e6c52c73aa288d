import { expect, test } from 'bun:test'
import { createTicker, type JsonObject } from '../../../lib/base/mod.ts'
import { manualClock } from '../../support/manual-clock.ts'
import type { StoredTurn } from '../../../lib/protocol/mod.ts'
import { hear, type Heard } from '../../../lib/conform/grammar.ts'
import { openLine } from './harness.ts'
import { callers, play, type Played, type Speaker, speakers } from './play.ts'
import { type Script, scriptedUpstream, type Speech, speech, spent } from './scripted.ts'

// The stream that gw opens itself when nobody has said anything for five seconds: in each protocol, over upstreams of
// each, whatever then becomes of them. Everything runs on a clock that stands still until it is moved.

/** All ids by which a stream names its answer. */
function idsOf(caller: Speaker, text: string): Set<unknown> {
  const ids = new Set<unknown>()
  for (const [, data] of text.matchAll(/^data: (\{.*\})$/gm)) {
    const event = JSON.parse(data!)
    if (caller === 'openai-chat' && !event.error) ids.add(event.id)
    if (caller === 'gemini' && !event.error) ids.add(event.responseId)
    if (event.message) ids.add(event.message.id)
    if (event.response) ids.add(event.response.id)
  }
  return ids
}

const terminals: Readonly<Record<Speaker, RegExp>> = {
  'openai-chat': /^data: \[DONE\]$/gm,
  'openai-responses': /^event: response\.(completed|incomplete|failed)$/gm,
  'anthropic-messages': /^event: (message_stop|error)$/gm,
  'gemini': /^data: \{(?:.*"finishReason"|"error").*$/gm,
}
const starts: Readonly<Record<Speaker, RegExp>> = {
  'openai-chat': /"role":"assistant"/g,
  'openai-responses': /^event: response\.created$/gm,
  'anthropic-messages': /^event: message_start$/gm,
  // Every piece is like the first.
  'gemini': /^data: \{"candidates"/,
}

/** What must hold of every stream that gw opened itself. */
function strictly(caller: Speaker, played: Played): Heard {
  const { text, pieces, took } = played
  expect(played.status).toBe(200)
  expect(played.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const heard = hear(caller, text)
  expect(text.match(starts[caller])?.length, 'one start').toBe(1)
  expect(text.match(terminals[caller])?.length, 'one terminal').toBe(1)
  expect(text.trimEnd().split('\n\n').at(-1), 'and nothing after it').toMatch(new RegExp(terminals[caller], 'm'))
  const ids = idsOf(caller, text)
  expect(ids.size, 'one id').toBe(1)
  expect([...ids][0]).toMatch(callers[caller].id)
  expect(text, "no upstream's id").not.toContain('faraway')
  expect(pieces[0]!.text, 'the first thing said is the start').toMatch(new RegExp(starts[caller], 'm'))
  // It began five seconds in, and never was silent for longer than fifteen.
  expect(pieces[0]!.at).toBeGreaterThanOrEqual(5000)
  expect(pieces[0]!.at).toBeLessThanOrEqual(5300)
  let last = pieces[0]!.at
  for (const { at, text: piece } of pieces) {
    expect(at - last).toBeLessThanOrEqual(15_000)
    expect(piece).toMatch(/^(event: [^\n]+\n)?data: /)
    last = at
  }
  expect(took - last).toBeLessThanOrEqual(15_000)
  return heard
}

/** Where each protocol says what an answer cost: all input, what of it was cached, all output. */
const counts: Readonly<Record<Speaker, (usage: JsonObject) => readonly unknown[]>> = {
  'openai-chat': (
    usage,
  ) => [usage.prompt_tokens, inside(usage.prompt_tokens_details).cached_tokens, usage.completion_tokens],
  'openai-responses': (
    usage,
  ) => [usage.input_tokens, inside(usage.input_tokens_details).cached_tokens, usage.output_tokens],
  'anthropic-messages': (usage) => [
    Number(usage.input_tokens) + Number(usage.cache_read_input_tokens) + Number(usage.cache_creation_input_tokens ?? 0),
    usage.cache_read_input_tokens,
    usage.output_tokens,
  ],
  'gemini': (usage) => [
    usage.promptTokenCount,
    usage.cachedContentTokenCount,
    Number(usage.candidatesTokenCount) + Number(usage.thoughtsTokenCount ?? 0),
  ],
}
const inside = (value: unknown): JsonObject => (value ?? {}) as JsonObject

/** A route that shakes hands, says nothing for a minute and then is overloaded. */
const stalls = (of: Speech): Script => ({ headMs: 100, steps: [[0, of.handshake], [60_000, of.overload]] })
const serves = (of: Speech, headMs = 100): Script => ({
  headMs,
  steps: [[0, of.handshake], [10, of.text], [10, of.end]],
})

interface Situation {
  readonly title: string
  scripts(of: (n: number) => Speech): Script[]
  /** Where it is not the usual text. */
  check?(heard: Heard, played: Played): void
  readonly fails?: boolean
  readonly outcome?: string
}

const situations: readonly Situation[] = [
  {
    title: 'two routes shake hands, are silent for a minute and then overloaded; the third serves',
    scripts: (of) => [stalls(of(1)), stalls(of(2)), serves(of(3))],
    check: (_, { calls, pieces }) => {
      expect(calls).toBe(3)
      expect(pieces.length).toBeGreaterThan(8)
    },
  },
  {
    title: 'the upstream shakes hands and thinks for twenty seconds',
    scripts: (of) => [{ headMs: 100, steps: [[0, of(1).handshake], [20_000, of(1).text], [0, of(1).end]] }],
  },
  {
    title: 'the upstream is silent for thirty seconds, without so much as a head',
    scripts: (of) => [serves(of(1), 30_000)],
  },
  {
    title: 'a head without events, refused after a minute; the next route refuses without a head; the third serves',
    scripts: (of) => [
      { headMs: 0, steps: [[60_000, of(1).overload]] },
      { headMs: 20_000, status: 529, steps: [[0, 'overloaded']] },
      serves(of(3)),
    ],
  },
  {
    title: 'the upstream answers with whole JSON, late',
    scripts: (of) => [{ headMs: 8000, type: 'application/json', steps: [[0, of(1).whole]] }],
  },
  {
    title: 'the upstream answers with whole JSON, its head at once and its body late',
    scripts: (of) => [{ headMs: 0, type: 'application/json', steps: [[8000, of(1).whole]] }],
  },
  {
    title: 'whole JSON that is broken, then a route that serves',
    scripts: (of) => [
      { headMs: 0, type: 'application/json', steps: [[8000, of(1).whole.slice(0, -9)]] },
      serves(of(2)),
    ],
  },
  {
    title: 'the upstream breaks off after content',
    scripts: (of) => [{ headMs: 0, steps: [[6000, of(1).handshake + of(1).text]], close: 'cut' }, serves(of(2))],
    fails: true,
    outcome: 'truncated',
    check: (heard, { calls }) => {
      expect(calls).toBe(1)
      expect(heard.text).toBe('grüße 🦊')
    },
  },
  {
    title: 'the upstream reports an error after content',
    scripts: (of) => [{ headMs: 0, steps: [[6000, of(1).handshake + of(1).text], [20_000, errorAfter(of(1))]] }],
    fails: true,
    outcome: 'truncated',
    check: (heard) => expect(heard.text).toBe('grüße 🦊'),
  },
  {
    title: 'every route fails',
    scripts: (of) => [
      stalls(of(1)),
      { headMs: 0, steps: [[0, of(2).handshake]], close: 'cut' },
      { headMs: 9000, status: 500, steps: [[0, 'out of order']] },
    ],
    fails: true,
    outcome: 'failed',
    check: (heard) => expect(heard.text).toBe(''),
  },
  {
    title: 'a tool call comes first',
    scripts: (of) => [
      stalls(of(1)),
      { headMs: 0, steps: [[0, of(2).handshake], [12_000, of(2).tool], [30_000, of(2).toolEnd]] },
    ],
    check: (heard) => {
      expect(heard.text).toBe('')
      expect(heard.calls.map(({ name, input }) => [name, JSON.parse(input)])).toEqual([['note', { note: 'grüße' }]])
    },
  },
]

/** The error of a stream whose numbers have gone on since its handshake. */
const errorAfter = (of: Speech): string => of.overload.replace('"sequence_number":2', '"sequence_number":9')

for (const caller of speakers) {
  for (const upstream of speakers) {
    for (const { title, scripts, check, fails, outcome } of situations) {
      test(`${caller} over ${upstream}: ${title}`, async () => {
        const played = await play(caller, upstream, scripts(speech[upstream]))
        const heard = strictly(caller, played)
        expect(heard.error === null, String(heard.error)).toBe(fails !== true)
        if (check) check(heard, played)
        else expect(heard.text).toBe('grüße 🦊')
        expect(played.record.outcome).toBe((outcome ?? 'ok') as never)
        if (fails) return
        expect(counts[caller](inside(heard.usage))).toEqual([
          spent.inputTokens,
          spent.cachedInputTokens,
          spent.outputTokens,
        ])
        expect(played.record.tokens).toMatchObject(spent)
      })
    }

    test(`${caller} over ${upstream}: an answer within five seconds is not touched`, async () => {
      const of = speech[upstream](1)
      const played = await play(caller, upstream, [{
        headMs: 100,
        steps: [[0, of.handshake], [4000, of.text], [0, of.end]],
      }])
      const heard = hear(caller, played.text)
      expect([heard.text, heard.error]).toEqual(['grüße 🦊', null])
      expect(played.pieces[0]!.at).toBeLessThan(4500)
      if (caller === upstream) expect(played.text).toBe(of.handshake + of.text + of.end)
    })
  }
}

test('a response that gw named is continued under the name that its upstream gave it', async () => {
  for (
    const first of [
      {
        headMs: 6000,
        steps: [[0, speech['openai-responses'](1).handshake], [0, speech['openai-responses'](1).text], [
          0,
          speech['openai-responses'](1).end,
        ]],
      },
      { headMs: 6000, type: 'application/json', steps: [[0, speech['openai-responses'](1).whole]] },
    ] as const satisfies Script[]
  ) {
    const clock = manualClock()
    const ticker = createTicker(clock, 250)
    const kept = new Map<string, StoredTurn>()
    const far = scriptedUpstream([first, serves(speech['openai-responses'](2))], clock)
    const line = await openLine({
      urls: ['http://up.test'],
      protocol: 'openai-responses',
      rooms: {
        clock,
        ticker,
        upstream: far.upstream,
        turns: {
          load: (id, principal) => Promise.resolve(kept.get(`${principal} ${id}`) ?? null),
          save: (turn) => void kept.set(`${turn.principal} ${turn.id}`, turn),
          remove: (id, principal) => Promise.resolve(kept.delete(`${principal} ${id}`)),
        },
      },
    })
    const { path, body } = callers['openai-responses']
    const ask = async (extra: JsonObject): Promise<string> => {
      let said: string | null = null
      void line.post(path, { ...body, ...extra }).then(async (reply) => said = await reply.text())
      while (said === null) {
        await new Promise((resolve) => setImmediate(resolve))
        await clock.advance(50)
      }
      return said
    }
    const [id] = idsOf('openai-responses', await ask({}))
    await ask({ previous_response_id: id as string })
    expect(JSON.parse(far.calls[1]!.body)).toMatchObject({ previous_response_id: 'resp_faraway1', input: 'hi' })
    const shown = await (await line.fetch(`/v1/responses/${id}`)).json() as JsonObject
    expect(shown).toMatchObject({ id, status: 'completed' })
    ticker.close()
    line.close()
  }
})
