import { afterAll, expect, test } from 'bun:test'
import { createServer, type Server, type Socket } from 'node:net'
import { openLine } from './harness.ts'

const servers: Server[] = []
afterAll(() => servers.forEach((server) => server.close()))

/** An upstream at socket level: it sees when its caller goes, and may say anything at any time. */
async function upstream(onRequest: (socket: Socket, request: string) => unknown) {
  const state = { open: 0, requests: 0, everOpen: 0 }
  const server = createServer((socket) => {
    state.open++
    state.everOpen++
    socket.on('error', () => {})
    socket.on('close', () => state.open--)
    let text = ''
    socket.on('data', (data) => {
      text += data.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0)
      if (end < 0 || text.length < end + 4 + length) return
      const request = text
      text = ''
      state.requests++
      onRequest(socket, request)
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, state }
}

const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const last = '0\r\n\r\n'
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
async function until(fact: () => boolean): Promise<number> {
  const since = performance.now()
  while (!fact()) await pause(1)
  return performance.now() - since
}

/** One answer of each protocol: how it opens, a piece of it, how it ends. */
const protocols = [
  {
    path: '/v1/chat/completions',
    protocol: 'openai-chat' as const,
    prefix: '/v1',
    opening: (id: string) =>
      `data: {"id":"${id}","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n`,
    content: (id: string) =>
      `data: {"id":"${id}","choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n`,
    end: (_id: string) => 'data: [DONE]\n\n',
    keepAlive: /data: \{"id":"","object":"chat\.completion\.chunk"[^\n]*\n\n/,
  },
  {
    path: '/v1/messages',
    protocol: 'anthropic-messages' as const,
    prefix: '',
    opening: (id: string) =>
      `event: message_start\ndata: {"type":"message_start","message":{"id":"${id}","usage":{"input_tokens":3,"output_tokens":1}}}\n\n` +
      'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n',
    content: (_id: string) =>
      'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}\n\n',
    end: (_id: string) =>
      'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
    keepAlive: /event: ping\ndata: \{"type": "ping"\}\n\n/,
  },
  {
    path: '/v1/responses',
    protocol: 'openai-responses' as const,
    prefix: '/v1',
    opening: (id: string) =>
      `event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"${id}","status":"in_progress"}}\n\n`,
    content: (_id: string) =>
      'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"hi"}\n\n',
    end: (id: string) =>
      `event: response.completed\ndata: {"type":"response.completed","sequence_number":2,"response":{"id":"${id}","status":"completed","usage":{"input_tokens":3,"output_tokens":5}}}\n\n`,
    keepAlive: /event: keepalive\ndata: \{"type":"keepalive"[^\n]*\n\n/,
  },
]

const quick = { openAfterMs: 60_000, keepAliveMs: 60, idleMs: 60_000, headMs: 60_000 }

for (const { path, protocol, prefix, opening, content, end, keepAlive } of protocols) {
  const open = (urls: readonly string[], limits = {}) =>
    openLine({ urls: urls.map((url) => url + prefix), protocol, limits: { ...quick, ...limits } })

  test(`a quiet ${protocol} stream carries keep-alives with data, and arrives whole`, async () => {
    const far = await upstream(async (socket) => {
      socket.write(head + chunk(opening('a1')) + chunk(content('a1')))
      await pause(400)
      // Silence in the middle of an event, too.
      const text = content('a1')
      socket.write(chunk(text.slice(0, 20)))
      await pause(200)
      socket.write(chunk(text.slice(20)) + chunk(end('a1')) + last)
    })
    const line = await open([far.url])
    const text = await (await line.post(path, { model: 'm-1', stream: true })).text()
    const alive = protocol === 'openai-chat'
      ? /data: \{"id":"a1","object":"chat\.completion\.chunk"[^\n]*\n\n/
      : keepAlive
    expect(text.match(new RegExp(alive.source, 'g'))!.length).toBeGreaterThanOrEqual(3)
    expect(text.replace(new RegExp(alive.source, 'g'), '')).toBe(
      opening('a1') + content('a1') + content('a1') + end('a1'),
    )
    expect(line.records[0]).toMatchObject({ outcome: 'ok' })
    line.close()
  })

  test(`${protocol}: an upstream that breaks after content ends the stream in the protocol's own error event`, async () => {
    for (const breakOff of ['', 'data: {"half', chunk(content('a1')).slice(0, -4)]) {
      const far = await upstream((socket) => {
        socket.write(head + chunk(opening('a1')) + chunk(content('a1')) + (breakOff === '' ? '' : chunk(breakOff)))
        setTimeout(() => socket.destroy(), 20)
      })
      const line = await open([far.url], { keepAliveMs: 60_000 })
      const text = await (await line.post(path, { model: 'm-1', stream: true })).text()
      const rest = text.slice((opening('a1') + content('a1')).length)
      expect(text.startsWith(opening('a1') + content('a1'))).toBe(true)
      expect(rest).toMatch(/^(event: error\n)?data: \{[^\n]*error[^\n]*\}\n\n$/)
      expect(rest).not.toContain('half')
      expect(line.records[0]).toMatchObject({ outcome: 'truncated' })
      line.close()
    }
  })

  test(`${protocol}: nothing passes after the last event`, async () => {
    const far = await upstream((socket) =>
      void socket.write(
        head + chunk(opening('a1')) + chunk(content('a1')) + chunk(end('a1') + content('a1') + end('a1')) + last,
      )
    )
    const line = await open([far.url])
    const text = await (await line.post(path, { model: 'm-1', stream: true })).text()
    expect(text).toBe(opening('a1') + content('a1') + end('a1'))
    line.close()
  })

  test(`${protocol}: the caller that leaves takes its upstream call with it, in every phase`, async () => {
    const far = await upstream((socket, request) => {
      if (request.includes('"phase":"head"')) return
      if (request.includes('"phase":"opening"')) return void socket.write(head + chunk(opening('a1')))
      socket.write(head + chunk(opening('a1')) + chunk(content('a1')))
    })
    const line = await open([far.url])
    for (const phase of ['head', 'opening', 'content']) {
      const abort = new AbortController()
      const before = far.state.requests
      const reply = line.post(path, { model: 'm-1', stream: true, phase }, { signal: abort.signal })
      await until(() => far.state.requests > before)
      let reader: ReadableStreamDefaultReader<Uint8Array> | null = null
      if (phase === 'content') {
        reader = (await reply).body!.getReader()
        await reader.read()
      } else await pause(20)
      abort.abort()
      await reader?.cancel().catch(() => {})
      expect(await until(() => far.state.open === 0)).toBeLessThan(250)
      await reply.catch(() => {})
    }
    expect(line.records.map(({ outcome }) => outcome)).toEqual(['aborted', 'aborted', 'aborted'])
    line.close()
  })
}

test('a caller that does not read holds its upstream back', async () => {
  let sent = 0
  const event = `data: ${
    JSON.stringify({ id: 'a', choices: [{ index: 0, delta: { content: 'x'.repeat(60_000) } }] })
  }\n\n`
  const far = await upstream((socket) => {
    socket.write(head)
    const more = (): void => {
      while (sent < 64 * 1024 * 1024) {
        sent += event.length
        if (!socket.write(chunk(event))) return void socket.once('drain', more)
      }
      socket.write(chunk('data: [DONE]\n\n') + last)
    }
    more()
  })
  const line = await openLine({ urls: [far.url], limits: quick })
  const reply = await line.post('/v1/chat/completions', { model: 'm-1', stream: true })
  const reader = reply.body!.getReader()
  await reader.read()
  let before = -1
  while (before !== sent) {
    before = sent
    await pause(80)
  }
  // Kernel buffers on both sides hold a few megabytes; gw itself less than one.
  expect(sent).toBeLessThan(16 * 1024 * 1024)
  let size = 0
  for (let step = await reader.read(); !step.done; step = await reader.read()) size += step.value.length
  expect(size).toBeGreaterThan(64 * 1024 * 1024 - 2 * event.length)
  line.close()
})

test('a thousand streams that are dropped leave nothing behind and harm nobody', async () => {
  const rejections: unknown[] = []
  const onRejection = (error: unknown) => void rejections.push(error)
  process.on('unhandledRejection', onRejection)
  const far = await upstream((socket) =>
    void socket.write(head + chunk(protocols[0]!.opening('a')) + chunk(protocols[0]!.content('a')))
  )
  const line = await openLine({ urls: [far.url], limits: quick })
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    fetch: (request) => line.door.fetch(request, { address: '127.0.0.1', loopback: true })!,
  })
  for (let round = 0; round < 10; round++) {
    await Promise.all(Array.from({ length: 100 }, async (_, i) => {
      const abort = new AbortController()
      const reply = await fetch(`http://127.0.0.1:${server.port}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: 'Bearer la_sk_test' },
        body: JSON.stringify({ model: 'm-1', stream: true }),
        signal: abort.signal,
      })
      const reader = reply.body!.getReader()
      await reader.read()
      if (i % 2 === 0) abort.abort()
      else await reader.cancel()
    }))
  }
  await until(() => far.state.open === 0)
  await until(() => line.records.length === 1000)
  expect(far.state.requests).toBe(1000)
  expect(new Set(line.records.map(({ outcome }) => outcome))).toEqual(new Set(['aborted']))
  expect(rejections).toEqual([])
  process.off('unhandledRejection', onRejection)
  await server.stop(true)
  line.close()
}, 30_000)

test('400 streams are all live at once', async () => {
  const far = await upstream((socket) => void socket.write(head + chunk(protocols[0]!.content('a'))))
  const line = await openLine({ urls: [far.url], limits: quick })
  const readers = await Promise.all(Array.from({ length: 400 }, async () => {
    const reply = await line.post('/v1/chat/completions', { model: 'm-1', stream: true })
    const reader = reply.body!.getReader()
    await reader.read()
    return reader
  }))
  expect(far.state.open).toBe(400)
  await Promise.all(readers.map((reader) => reader.cancel()))
  await until(() => far.state.open === 0)
  line.close()
})

test("deadlines of gw's own: no head, silence after content, a body that does not come", async () => {
  const silent = await upstream(() => {})
  const noHead = await openLine({ urls: [silent.url], limits: { ...quick, headMs: 60 } })
  expect((await noHead.post('/v1/chat/completions', { model: 'm-1' })).status).toBe(504)
  noHead.close()

  const stuck = await upstream((socket) => void socket.write(head + chunk(protocols[0]!.content('a'))))
  const idle = await openLine({ urls: [stuck.url], limits: { ...quick, idleMs: 100, keepAliveMs: 10_000 } })
  const text = await (await idle.post('/v1/chat/completions', { model: 'm-1', stream: true })).text()
  expect(text).toContain('upstream_timeout')
  expect(await until(() => stuck.state.open === 0)).toBeLessThan(250)
  idle.close()

  const whole = await openLine({ urls: [silent.url], limits: { ...quick, totalMs: 60 } })
  const late = await whole.post('/v1/chat/completions', { model: 'm-1' })
  expect([late.status, await late.text()]).toEqual([504, expect.stringContaining('took longer than 0.06 s')])
  await until(() => whole.records.length > 0)
  expect(whole.records[0]).toMatchObject({ outcome: 'aborted', error: expect.stringContaining('took longer') })
  expect(await until(() => silent.state.open === 0)).toBeLessThan(250)
  whole.close()

  const endless = await openLine({ urls: [stuck.url], limits: { ...quick, totalMs: 200 } })
  const cut = await (await endless.post('/v1/chat/completions', { model: 'm-1', stream: true })).text()
  expect(cut).toContain('took longer than 0.2 s')
  expect(cut).not.toContain('[DONE]')
  expect(await until(() => stuck.state.open === 0)).toBeLessThan(250)
  endless.close()

  const slow = await openLine({ urls: [silent.url], limits: { ...quick, bodyMs: 60 } })
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new TextEncoder().encode('{')),
  })
  const reply = await slow.fetch('/v1/chat/completions', { method: 'POST', body, duplex: 'half' } as RequestInit)
  expect([reply.status, reply.headers.get('connection')]).toEqual([408, 'close'])
  slow.close()
})
