import { afterAll, expect, test } from 'bun:test'
import { Secret } from '../../../lib/base/mod.ts'
import { awsException, awsFrame, awsFrames } from '../../../lib/protocol/mod.ts'
import { type Exchange, fakeUpstream } from '../../support/fake-upstream.ts'
import { openLine } from './harness.ts'
import { tellings } from './lies.ts'
import { callers, speakers } from './play.ts'

// The same over real sockets, where the upstream sees its connection closed; and Bedrock's binary frames.

const cleanups: (() => unknown)[] = []
afterAll(async () => {
  for (const cleanup of cleanups) await cleanup()
})

const paced = async (exchange: Exchange, pieces: readonly (string | Uint8Array)[]): Promise<void> => {
  for (const piece of pieces) {
    await exchange.chunk(piece)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

const errorEvent =
  /(?:event: (?:error|response\.failed)\n)?data: \{[^\n]*"(?:error|type":"error)"[^\n]*\}\n\n(?:data: \[DONE\]\n\n)?$/

for (const protocol of speakers) {
  test(
    `${protocol}: the caller of an upstream that lies is told, its connection is closed, the books say so`,
    async () => {
      const far = await fakeUpstream((exchange) => exchange.end())
      const line = await openLine({ urls: [far.url], protocol })
      cleanups.push(far.close, line.close)
      const { path, body } = callers[protocol]
      const { lies } = tellings[protocol]
      for (const { title, events, close } of lies) {
        far.follow(async (exchange) => {
          await exchange.sse()
          await paced(exchange, events)
          if (close === 'end') await exchange.end()
          else if (close === 'cut') exchange.reset()
          else await exchange.gone
        })
        const reply = await line.post(path, body)
        const text = await reply.text()
        const told = reply.status === 200 ? errorEvent.test(text) : reply.status >= 500
        expect([title, told, line.records.at(-1)!.outcome]).toEqual([
          title,
          true,
          reply.status === 200 ? 'truncated' : 'failed',
        ])
        await far.inFlightIs(0)
      }
      expect(line.records.length).toBe(lies.length)
    },
    30_000,
  )
}

test('what comes behind an end that was put together from two pieces is not passed on', async () => {
  const far = await fakeUpstream(async (exchange) => {
    await exchange.sse()
    const { honest } = tellings['openai-chat']
    await paced(exchange, [honest.slice(0, -1).join(''), 'data: [DO', `NE]\n\n${honest[1]!}`])
    await exchange.gone
  })
  const line = await openLine({ urls: [far.url] })
  cleanups.push(far.close, line.close)
  const { path, body } = callers['openai-chat']
  expect(await (await line.post(path, body)).text()).toBe(tellings['openai-chat'].honest.join(''))
  // It has not ended its answer: its connection serves nobody else.
  await far.inFlightIs(0)
})

// ---- Bedrock ------------------------------------------------------------------------------------------------------

const frames = tellings['anthropic-messages'].honest.map((event) => awsFrame(/^data: (.*)$/m.exec(event)![1]!))
const changed = (frame: Uint8Array, at: number): Uint8Array => frame.map((byte, i) => i === at ? byte ^ 1 : byte)
const long = new Uint8Array([0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0])

const bedrock: readonly (readonly [title: string, frames: readonly Uint8Array[], close?: 'end' | 'cut'])[] = [
  ['a body whose checksum is wrong', frames.with(3, changed(frames[3]!, 60))],
  ['a head whose checksum is wrong', frames.with(3, changed(frames[3]!, 9))],
  ['a checksum that is wrong', frames.with(3, changed(frames[3]!, frames[3]!.length - 1))],
  ['the start twice', frames.toSpliced(1, 0, frames[0]!)],
  ['a block that stops twice', frames.toSpliced(5, 0, frames[4]!)],
  ['a block begun twice', frames.toSpliced(2, 0, frames[1]!)],
  ['two frames the other way round', frames.toSpliced(3, 2, frames[4]!, frames[3]!)],
  ['a frame that is cut', [...frames.slice(0, 3), frames[3]!.subarray(0, 30)], 'end'],
  ['a frame that is cut, and the connection breaks', [...frames.slice(0, 3), frames[3]!.subarray(0, 30)], 'cut'],
  ['frames without an end', frames.slice(0, -1), 'end'],
  ['a frame of two gigabytes', [...frames.slice(0, 3), long]],
  ['a frame with no JSON in it', frames.with(3, awsFrame('{"type":"content_bl'))],
  ['text between the frames', frames.toSpliced(3, 0, new TextEncoder().encode('HTTP/1.1 502 Bad Gateway\r\n'))],
  ['an exception', [...frames.slice(0, 3), awsException('{"error":{"type":"overloaded_error","message":"busy"}}')]],
  ['an exception and then an end', frames.toSpliced(4, 0, awsException('{"error":{"message":"busy"}}'))],
]

async function openBedrock() {
  const far = await fakeUpstream((exchange) => exchange.end())
  const line = await openLine({
    urls: [far.url],
    protocol: 'anthropic-messages',
    model: 'anthropic.claude-v1:0',
    provider: { auth: { type: 'sigv4', service: 'bedrock' } },
    credential: {
      kind: 'aws',
      secret: new Secret(JSON.stringify({ accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI' })),
    },
  })
  for (const { target } of line.rooms.router.plan({} as never).targets) {
    Object.assign(target.deployment, { envelope: 'bedrock' })
  }
  cleanups.push(far.close, line.close)
  return { far, line }
}

for (const caller of speakers) {
  test(`${caller} over Bedrock's frames: each that does not hold together ends in an error`, async () => {
    const { far, line } = await openBedrock()
    const { path, body } = callers[caller]
    for (const [title, sent, close] of bedrock) {
      far.follow(async (exchange) => {
        await exchange.head(200, { 'content-type': 'application/vnd.amazon.eventstream' })
        await paced(exchange, sent)
        if (close === 'end') await exchange.end()
        else if (close === 'cut') exchange.reset()
        else await exchange.gone
      })
      const reply = await line.post(path, body)
      const text = await reply.text()
      const told = reply.status === 200 ? errorEvent.test(text) : reply.status >= 500
      expect([title, told, line.records.at(-1)!.outcome]).toEqual([
        title,
        true,
        reply.status === 200 ? 'truncated' : 'failed',
      ])
      await far.inFlightIs(0)
    }
  }, 30_000)
}

test('a client of Bedrock is told by an exception, in the frames that it reads', async () => {
  const far = await fakeUpstream((exchange) => exchange.end())
  const line = await openLine({ urls: [far.url], protocol: 'anthropic-messages' })
  cleanups.push(far.close, line.close)
  for (const { title, events, close } of tellings['anthropic-messages'].lies) {
    far.follow(async (exchange) => {
      await exchange.sse()
      await paced(exchange, events)
      if (close === 'end') await exchange.end()
      else if (close === 'cut') exchange.reset()
      else await exchange.gone
    })
    const { body: { model: _, stream: __, ...body } } = callers['anthropic-messages']
    const reply = await line.post('/model/any/invoke-with-response-stream', {
      ...body,
      anthropic_version: 'bedrock-2023-05-31',
    })
    if (reply.status !== 200) {
      expect([title, reply.status]).toEqual([title, 502])
      continue
    }
    const heard = awsFrames().push(new Uint8Array(await reply.arrayBuffer()))
    expect([title, /event: error\ndata: [^\n]*\n\n$/.test(heard), heard.includes('message_stop')]).toEqual([
      title,
      true,
      false,
    ])
    await far.inFlightIs(0)
  }
}, 30_000)

test('a frame that comes a byte at a time is put together once', () => {
  const body = 'x'.repeat(2_000_000)
  const frame = awsFrame(
    JSON.stringify({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: body } }),
  )
  const reader = awsFrames()
  const from = process.cpuUsage()
  let text = ''
  for (let i = 0; i < frame.length; i += 64) text += reader.push(frame.subarray(i, i + 64))
  const { user, system } = process.cpuUsage(from)
  expect([text.includes(body), reader.pending]).toEqual([true, false])
  // 60,000 pieces: put together anew for each, they would take half a minute.
  expect((user + system) / 1000).toBeLessThan(5000)
})
