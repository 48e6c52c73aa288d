import { expect, test } from 'bun:test'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../lib/base/mod.ts'
import { announce, findServing } from '../../lib/presence.ts'

async function inFolder<T>(work: (at: { data: string }) => Promise<T>): Promise<T> {
  const data = await mkdtemp(join(tmpdir(), 'gw-presence-'))
  try {
    return await work({ data })
  } finally {
    await rm(data, { recursive: true })
  }
}

const healthy = (status = 200) =>
  Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => Response.json({}, { status }) })

test('a gateway that serves a home is found, and not any more once it has stopped', () =>
  inFolder(async (at) => {
    const server = healthy()
    const withdraw = await announce(at, server.url.origin, systemClock)
    expect((await stat(join(at.data, 'serving.json'))).mode & 0o777).toBe(0o600)
    expect((await findServing(at))?.url).toBe(server.url.origin)
    await server.stop(true)
    expect(await findServing(at)).toBeNull()
    await withdraw()
    expect(await readdir(at.data)).toEqual([])
  }))

test('the note of the gateway that came after stays', () =>
  inFolder(async (at) => {
    const withdraw = await announce(at, 'http://127.0.0.1:1', systemClock)
    const server = healthy()
    await announce(at, server.url.origin, systemClock)
    await withdraw()
    expect((await findServing(at))?.url).toBe(server.url.origin)
    await server.stop(true)
  }))

test.each([
  ['no note', null],
  ['half a note', '{"url":'],
  ['a note of something else', '{"url":"ftp:x","pid":-1}'],
  ['a dead process', JSON.stringify({ url: 'http://127.0.0.1:9', pid: 4_194_303, startedAt: 1 })],
])('%s finds nobody', (_, note) =>
  inFolder(async (at) => {
    if (note !== null) await writeFile(join(at.data, 'serving.json'), note)
    expect(await findServing(at)).toBeNull()
  }))

test('another program that has taken the port is not taken for gw', () =>
  inFolder(async (at) => {
    const server = healthy(404)
    await announce(at, server.url.origin, systemClock)
    expect(await findServing(at)).toBeNull()
    await server.stop(true)
  }))
