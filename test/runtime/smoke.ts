// What must work on every runtime, with nothing of any one of them: run by runtime.test.ts under Bun, Deno and Node.
// Prints one JSON line per step.
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../lib/base/mod.ts'
import { demoUpstream } from '../../lib/demo/mod.ts'
import { detectPlatform } from '../../lib/platform/mod.ts'
import { openStorage } from '../../lib/storage/mod.ts'
import { gauge, within } from '../support/wait.ts'

const platform = await detectPlatform()

/** Throws when a fact is not so. */
function check(fact: boolean, what: string): void {
  if (!fact) throw new Error(what)
}

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'gw-runtime-'))
  try {
    await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The demo upstream behind the platform's own server, counting the streams that are read. */
async function serveDemo(): Promise<{
  url: string
  streams: ReturnType<typeof gauge>
  stop: (force: boolean) => Promise<void>
}> {
  const demo = demoUpstream({ pieceDelayMs: 5 })
  const streams = gauge()
  const server = await platform.serve({
    host: '127.0.0.1',
    port: 0,
    maxBodyBytes: 4 * 1024 * 1024,
    async fetch(request) {
      const reply = await demo.fetch(request)
      if (!reply.body) return reply
      const reader = reply.body.getReader()
      streams.add(1)
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const next = await reader.read()
          if (!next.done) return controller.enqueue(next.value)
          streams.add(-1)
          controller.close()
        },
        cancel(reason) {
          streams.add(-1)
          return reader.cancel(reason).catch(() => {})
        },
      }, { highWaterMark: 0 })
      return new Response(body, reply)
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, streams, stop: (force) => server.stop(force) }
}

function chat(url: string, model: string, content: string, signal?: AbortSignal): Promise<Response> {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model, stream: true, messages: [{ role: 'user', content }] }),
    ...(signal ? { signal } : {}),
  })
}

const steps: Readonly<Record<string, () => Promise<void>>> = {
  'a database keeps what was committed, for its owner alone': () =>
    withFolder(async (folder) => {
      const path = join(folder, 'home', 'gw.sqlite')
      const first = await openStorage({ platform, clock: systemClock, path })
      await first.write((tx) => tx.insertInto('facts').values({ key: 'k', value: '"v"', updated_ms: 1 }).execute())
      await first.close()
      check((((await stat(path)).mode & 0o077) as number) === 0, 'others may read the database')
      const again = await openStorage({ platform, clock: systemClock, path })
      const row = await again.db.selectFrom('facts').select('value').where('key', '=', 'k').executeTakeFirst()
      await again.close()
      check(row?.value === '"v"', `read back ${JSON.stringify(row)}`)
    }),

  'a stream arrives piece by piece and ends': async () => {
    const server = await serveDemo()
    try {
      const reply = await chat(server.url, 'demo-small', 'hello there')
      let reads = 0
      let text = ''
      const decoder = new TextDecoder()
      for await (const bytes of reply.body!) {
        reads++
        text += decoder.decode(bytes, { stream: true })
      }
      check(reads > 5, `arrived in ${reads} pieces`)
      check(text.endsWith('data: [DONE]\n\n'), 'did not end with [DONE]')
    } finally {
      await server.stop(true)
    }
  },

  'a reader who leaves is noticed within 250 ms': async () => {
    const server = await serveDemo()
    try {
      const controller = new AbortController()
      const reply = await chat(server.url, 'demo-delay-50', 'count to 999', controller.signal)
      await reply.body!.getReader().read()
      check(server.streams.value === 1, `${server.streams.value} streams are read`)
      controller.abort()
      await server.streams.until((n) => n === 0, 250, 'the stream to be given up')
    } finally {
      await server.stop(true)
    }
  },

  'a server that stops lets a stream finish': async () => {
    const server = await serveDemo()
    const reply = await chat(server.url, 'demo-delay-20', 'count to 20')
    const reader = reply.body!.getReader()
    await reader.read()
    const stopped = server.stop(false)
    let text = ''
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      text += new TextDecoder().decode(next.value)
    }
    check(text.includes('[DONE]'), 'the stream was cut')
    await within(5000, 'the server to stop', stopped)
  },
}

for (const [step, work] of Object.entries(steps)) {
  let error: string | null = null
  try {
    await within(20_000, step, work())
  } catch (caught) {
    error = caught instanceof Error ? `${caught.message}\n${caught.stack ?? ''}` : String(caught)
  }
  console.log(JSON.stringify({ step, error }))
}
console.log(JSON.stringify({ step: 'end', error: null, runtime: `${platform.name} ${platform.version}` }))
process.exit(0)
