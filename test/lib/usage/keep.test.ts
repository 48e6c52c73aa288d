import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Logger, LogLevel } from '../../../lib/base/mod.ts'
import { aRecord, inUsage, start, type UsageHome } from './home.ts'

const day = 86_400_000
const hour = 3_600_000

async function forgetAll({ usage }: UsageHome): Promise<void> {
  while ((await usage.retain()).more) { /* one bounded step after the other */ }
}

const countOf = async ({ storage }: UsageHome): Promise<number> =>
  Number((await storage.db.selectFrom('requests').select((at) => at.fn.countAll().as('n')).executeTakeFirst())!.n)

test('requests past their time go in bounded steps, the sums stay until theirs', () =>
  inUsage({ retention_days: 10, summary_days: 20 }, async (home) => {
    const { usage, clock } = home
    for (let i = 0; i < 1_200; i++) usage.record(aRecord({ at: start + i }))
    usage.record(aRecord({ at: start + 11 * day }))
    await usage.flush()
    await clock.advance(11 * day)
    expect(await usage.retain()).toMatchObject({ requests: 500, more: true })
    await forgetAll(home)
    expect(await countOf(home)).toBe(1)
    expect((await usage.summary({ by: 'day', from: start, to: start + day })).totals.requests).toBe(1_200)
    await clock.advance(10 * day)
    await forgetAll(home)
    expect((await usage.summary({ by: 'day', from: start, to: start + day })).totals.requests).toBe(0)
    expect((await usage.summary({ by: 'day', from: start, to: start + day, principal: 'token-1' })).totals.requests)
      .toBe(0)
    await clock.advance(10 * day)
    await forgetAll(home)
    expect(await home.storage.db.selectFrom('usage_hours').select('key').where('hour_ms', '<', start + day).execute())
      .toEqual([])
  }))

test('the log stays below its size, the oldest going first', () =>
  inUsage({ max_log_mb: 1 }, async (home) => {
    for (let i = 0; i < 2_000; i++) home.usage.record(aRecord({ at: start + i }))
    await home.usage.flush()
    await forgetAll(home)
    const kept = await countOf(home)
    expect(kept).toBeWithin(1_000, 1_900)
    const { requests } = await home.usage.requests({ from: start, to: start + 2_000, limit: 1 })
    expect(requests[0]!.at).toBe(start + 1_999)
  }))

test('bodies are kept only when asked for, without credentials, cut, until they expire', () =>
  inUsage({ bodies: 'errors', max_body_kb: 1, body_hours: 2 }, async (home) => {
    const { usage, clock } = home
    const [good, bad] = [aRecord(), aRecord({ status: 500, outcome: 'failed' })]
    const parts = {
      request: `{"key":"sk-proj-abcdefghijklmnop","text":"${'x'.repeat(5_000)}"}`,
      response: 'hello',
      nothing: null,
    }
    expect([usage.capture.wantsBodies(false), usage.capture.wantsBodies(true)]).toEqual([false, true])
    for (const [record, failed] of [[good, false], [bad, true]] as const) {
      usage.record(record)
      usage.capture.bodies(record.id, failed, parts)
    }
    expect((await usage.request(good.id)).bodies).toEqual([])
    const { bodies } = await usage.request(bad.id)
    expect(bodies.map((body) => [body.part, body.wholeBytes])).toEqual([
      ['request', parts.request.length],
      ['response', 5],
    ])
    expect(bodies[0]!.content).toContain('[secret]')
    expect(bodies[0]!.content).not.toContain('abcdefghijklmnop')
    expect(bodies[0]!.content.length).toBeLessThan(1_100)
    await clock.advance(2 * hour)
    expect((await usage.request(bad.id)).bodies).toEqual([])
    expect(await usage.retain()).toMatchObject({ bodies: 2 })
  }))

test('audio is kept as a private file under a name of ours, until it expires', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gw-audio-'))
  try {
    const audio_directory = join(folder, 'audio')
    await inUsage({ audio_directory, audio_hours: 1 }, async ({ usage, clock }) => {
      expect(usage.capture.wantsAudio).toBe(true)
      const records = [aRecord(), aRecord(), aRecord()]
      const types = ['audio/mpeg; codecs=x', '../../etc/passwd', 'constructor']
      for (const [i, record] of records.entries()) {
        usage.record(record)
        await usage.capture.audio(record.id, types[i]!, new Uint8Array([1, 2, 3]))
      }
      await usage.capture.audio('../escape', 'audio/wav', new Uint8Array([1]))
      const names = (await readdir(audio_directory)).sort()
      expect(names).toEqual([`${records[0]!.id}.mp3`, `${records[1]!.id}.bin`, `${records[2]!.id}.bin`].sort())
      const file = join(audio_directory, `${records[0]!.id}.mp3`)
      expect([...await readFile(file)]).toEqual([1, 2, 3])
      expect((await stat(file)).mode & 0o777).toBe(0o600)
      expect((await stat(audio_directory)).mode & 0o777).toBe(0o700)
      expect((await usage.request(records[0]!.id)).audio).toEqual({
        file: `${records[0]!.id}.mp3`,
        mediaType: 'audio/mpeg',
        bytes: 3,
      })
      expect(existsSync(join(folder, 'escape.wav'))).toBe(false)
      await clock.advance(hour)
      expect(await usage.retain()).toMatchObject({ audio: 3 })
      expect(await readdir(audio_directory)).toEqual([])
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('kept audio stays below its size, the oldest going first', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'gw-audio-'))
  try {
    await inUsage({ audio_directory: folder, max_audio_mb: 1 }, async ({ usage, clock }) => {
      const megabyte = new Uint8Array(700_000)
      for (const id of ['req_1', 'req_2', 'req_3']) {
        await usage.capture.audio(id, 'audio/wav', megabyte)
        await clock.advance(1)
      }
      await usage.flush()
      expect(await usage.retain()).toMatchObject({ audio: 2 })
      expect(await readdir(folder)).toEqual(['req_3.wav'])
    })
  } finally {
    await rm(folder, { recursive: true })
  }
})

test("audio that cannot be kept is logged and is nobody else's problem", async () => {
  const lines: [LogLevel, string][] = []
  const logger: Logger = { log: (level, event) => void lines.push([level, event]) }
  await inUsage(
    { audio_directory: '/proc/no-such-place' },
    async ({ usage }) => await usage.capture.audio('req_1', 'audio/wav', new Uint8Array(1)),
    logger,
  )
  expect(lines).toEqual([['warn', 'usage.audio_not_kept']])
})

test('nothing is kept of bodies and audio by default', () =>
  inUsage({}, async ({ usage, folder }) => {
    const record = aRecord({ status: 500, outcome: 'failed' })
    usage.record(record)
    usage.capture.bodies(record.id, true, { request: 'x' })
    await usage.capture.audio(record.id, 'audio/wav', new Uint8Array(1))
    const receipt = await usage.request(record.id)
    expect([receipt.bodies, receipt.audio, usage.capture.wantsAudio]).toEqual([[], null, false])
    expect((await readdir(folder)).filter((name) => !name.startsWith('gw.sqlite'))).toEqual([])
  }))
