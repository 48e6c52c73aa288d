import { afterAll, expect, test } from 'bun:test'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGateway } from '../support/gateway.ts'

const folder = await mkdtemp(join(tmpdir(), 'gw-captures-'))
afterAll(() => rm(folder, { recursive: true, force: true }))

/** A second of silence, with the head that a player would want. */
const sound = new Uint8Array([0x52, 0x49, 0x46, 0x46, ...Array.from({ length: 4096 }, (_, i) => i % 251)])

async function transcribe(url: string, token: string): Promise<Response> {
  const form = new FormData()
  form.append('model', 'demo/demo-transcribe')
  form.append('file', new File([sound], '../../evil.wav', { type: 'audio/wav' }))
  return await fetch(`${url}/v1/audio/transcriptions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    body: form,
  })
}

async function until<T>(look: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await look()
    if (good(value)) return value
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('uploaded audio is kept where its owner says: its bytes, under a name of ours, with its row', async () => {
  const audio = join(folder, 'audio')
  await using gw = await startGateway({ demo: true, settings: { 'usage.audio_directory': audio } })
  const reply = await transcribe(gw.url, gw.token)
  expect(reply.status).toBe(200)
  const id = reply.headers.get('x-gw-request-id')
  expect(await reply.json()).toHaveProperty('text')
  const file = join(audio, `${id}.wav`)
  await until(() => readdir(audio).catch((): string[] => []), (names) => names.includes(`${id}.wav`))
  expect(await readdir(audio)).toEqual([`${id}.wav`])
  expect(new Uint8Array(await readFile(file))).toEqual(sound)
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  const receipt = await until(
    () => gw.gateway.rooms.usage.request(id!),
    (found) => found !== null && found.audio !== null,
  )
  expect(receipt?.audio).toMatchObject({ mediaType: expect.stringMatching(/^audio\/(x-)?wav$/), bytes: sound.length })
})

test('nothing is kept where nobody asked for it', async () => {
  await using gw = await startGateway({ demo: true })
  const reply = await transcribe(gw.url, gw.token)
  expect(reply.status).toBe(200)
  const receipt = await gw.gateway.rooms.usage.request(reply.headers.get('x-gw-request-id')!)
  expect(receipt).toMatchObject({ audio: null, bodies: [] })
})

test('request bodies are kept as the setting says', async () => {
  await using gw = await startGateway({ demo: true, settings: { 'usage.bodies': 'errors' } })
  const ask = (model: string) =>
    fetch(`${gw.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gw.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'remember this' }] }),
    })
  const good = await ask('demo/demo-small')
  const bad = await ask('demo/demo-error-400')
  const kept = async (reply: Response) =>
    (await gw.gateway.rooms.usage.request(reply.headers.get('x-gw-request-id')!))?.bodies
  expect([good.status, await kept(good)]).toEqual([200, []])
  expect([bad.status, await kept(bad)]).toMatchObject([400, [{ part: 'request' }]])
})

test('a model of the demo that refuses its credential leaves the other models alone', async () => {
  await using gw = await startGateway({ demo: true })
  const ask = async (model: string): Promise<number> => {
    const reply = await fetch(`${gw.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gw.token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hi' }] }),
    })
    await reply.text()
    return reply.status
  }
  expect(await ask('demo/demo-error-401')).toBeGreaterThanOrEqual(400)
  expect(await ask('demo/demo-small')).toBe(200)
})
