// What must work on every runtime, with nothing of any one of them: run by runtime.test.ts under Bun, Deno and Node.
// Prints one JSON line per step.
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { operator } from '../../lib/access/mod.ts'
import { systemClock } from '../../lib/base/mod.ts'
import { demoUpstream } from '../../lib/demo/mod.ts'
import { detectPlatform } from '../../lib/platform/mod.ts'
import { openStorage } from '../../lib/storage/mod.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
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
      let open = true
      const over = (): void => {
        if (open) streams.add(-1)
        open = false
      }
      const body = new ReadableStream<Uint8Array>({
        async pull(controller) {
          const next = await reader.read()
          if (!open) return
          if (!next.done) return controller.enqueue(next.value)
          over()
          controller.close()
        },
        cancel(reason) {
          over()
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

/** gw in front of the demo upstream, sockets on both sides. */
async function withGateway(
  work: (gateway: TestGateway, streams: ReturnType<typeof gauge>) => Promise<void>,
): Promise<void> {
  const upstream = await serveDemo()
  try {
    await using gateway = await startGateway({ upstream: upstream.url })
    await work(gateway, upstream.streams)
  } finally {
    await upstream.stop(true)
  }
}

function ask(gateway: TestGateway, path: string, body: object, token: string, signal?: AbortSignal): Promise<Response> {
  return fetch(`${gateway.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'authorization': `Bearer ${token}` },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  })
}

const messages = [{ role: 'user', content: 'grüße 👋' }]
const paced = { model: 'openai/demo-delay-50', stream: true, messages: [{ role: 'user', content: 'count to 40' }] }

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

  'gw answers, whole and streamed': () =>
    withGateway(async (gateway) => {
      const whole = await ask(gateway, '/v1/chat/completions', { model: 'openai/demo-small', messages }, gateway.token)
      check(whole.status === 200, `answered ${whole.status}`)
      check((await whole.text()).includes('grüße 👋'), 'the echo is missing')
      const body = { model: 'anthropic/demo-small', max_tokens: 500, stream: true, messages }
      const streamed = await ask(gateway, '/v1/messages', body, gateway.token)
      const text = await streamed.text()
      check(text.startsWith('event: message_start') && text.includes('event: message_stop'), `streamed ${text}`)
    }),

  'a caller of gw who leaves ends the upstream call within 250 ms': () =>
    withGateway(async (gateway, streams) => {
      const controller = new AbortController()
      const reply = await ask(gateway, '/v1/chat/completions', paced, gateway.token, controller.signal)
      await reply.body!.getReader().read()
      check(streams.value === 1, `${streams.value} upstream streams are read`)
      controller.abort()
      await streams.until((n) => n === 0, 250, 'the upstream stream to be given up')
    }),

  'a token lets in until it is revoked': () =>
    withGateway(async (gateway) => {
      const { access } = gateway.gateway.rooms
      const issued = await access.issue({ label: 'runtime' }, operator)
      const token = issued.token.reveal()
      const body = { model: 'openai/demo-small', messages }
      const before = await ask(gateway, '/v1/chat/completions', body, token)
      check(before.status === 200, `answered ${before.status}`)
      await before.text()
      await access.revoke(issued.info.id, operator)
      const after = await ask(gateway, '/v1/chat/completions', body, token)
      check(after.status === 403, `a revoked token is answered ${after.status}`)
      check(
        (await ask(gateway, '/v1/chat/completions', body, 'la_sk_nothing')).status === 401,
        'a made-up token got in',
      )
    }),

  'gw that stops lets a stream finish': () =>
    withGateway(async (gateway) => {
      const reply = await ask(gateway, '/v1/chat/completions', paced, gateway.token)
      const reader = reply.body!.getReader()
      await reader.read()
      const stopped = gateway.server.stop({ drainMs: 10_000 })
      let text = ''
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        text += new TextDecoder().decode(next.value)
      }
      check(text.includes('data: [DONE]'), 'the stream was cut')
      await within(5000, 'gw to stop', stopped)
    }),

  'gw that stops ends what takes too long, and says so': () =>
    withGateway(async (gateway, streams) => {
      const endless = { ...paced, model: 'openai/demo-stall-60000' }
      const reply = await ask(gateway, '/v1/chat/completions', endless, gateway.token)
      const reader = reply.body!.getReader()
      await reader.read()
      const stopped = gateway.server.stop({ drainMs: 50 })
      let text = ''
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        text += new TextDecoder().decode(next.value)
      }
      check(text.includes('server_draining'), `ended with ${text}`)
      await within(5000, 'gw to stop', stopped)
      await streams.until((n) => n === 0, 1000, 'the upstream stream to be given up')
    }),
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
