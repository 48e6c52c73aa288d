import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { operator } from '../../../lib/access/mod.ts'
import { startGateway, type TestGateway } from '../../support/gateway.ts'

// Everything here goes over real sockets: client to gw, gw to a server that answers byte by byte as it likes.

const ends: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Call {
  readonly id: number
  readonly socket: Socket
}

const reply = (body: string, headers = 'content-type: application/json') =>
  `HTTP/1.1 200 OK\r\n${headers}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
const rpc = (id: unknown, result: object) => JSON.stringify({ jsonrpc: '2.0', id, result })
const streamHead =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nmcp-session-id: s1\r\n\r\n'
const chunk = (text: string) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`
const offer = { tools: [{ name: 'x', inputSchema: { type: 'object' } }] }
const hello = {
  protocolVersion: '2025-06-18',
  capabilities: { tools: {} },
  serverInfo: { name: 'hostile', version: '1' },
}

/** A server that is well until a tool is called, and then does what `behave` says. */
async function hostileServer(behave: (call: Call) => void): Promise<string> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      for (;;) {
        const head = text.indexOf('\r\n\r\n')
        const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
        if (head < 0 || text.length < head + 4 + length) return
        const body = text.slice(head + 4, head + 4 + length)
        const method = text.slice(0, text.indexOf(' '))
        text = text.slice(head + 4 + length)
        const message = body === '' ? {} : JSON.parse(body) as { id?: number; method?: string }
        if (method === 'DELETE') socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
        else if (method !== 'POST') socket.write('HTTP/1.1 405 No\r\ncontent-length: 0\r\n\r\n')
        else if (message.id === undefined) socket.write('HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n')
        else if (message.method === 'initialize') {
          socket.write(reply(rpc(message.id, hello), 'content-type: application/json\r\nmcp-session-id: s1'))
        } else if (message.method === 'tools/list') socket.write(reply(rpc(message.id, offer)))
        else behave({ id: message.id, socket })
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`
}

/** A program that is well until a tool is called, and then runs `behave`, with `m` the call and `say` to answer. */
const hostileProgram = (behave: string) => [
  process.execPath,
  '-e',
  `const say = (t) => process.stdout.write(t)
   let rest = ''
   process.stdin.on('data', (d) => {
     rest += d
     const lines = rest.split('\\n')
     rest = lines.pop()
     for (const line of lines) {
       const m = JSON.parse(line)
       const answer = (result) => say(JSON.stringify({ jsonrpc: '2.0', id: m.id, result }) + '\\n')
       if (m.method === 'initialize') answer(${JSON.stringify(hello)})
       else if (m.method === 'tools/list') answer(${JSON.stringify(offer)})
       else if (m.method === 'tools/call') { ${behave} }
     }
   })`,
]

async function serve(server: object): Promise<{ gw: TestGateway; post: Post }> {
  const gw = await startGateway({
    settings: { 'mcp.servers.bad': { ...server, call_timeout_secs: 1 }, 'egress.mode': 'off' },
  })
  ends.push(() => gw.close())
  const issued = await gw.gateway.rooms.access.issue({ label: 'x', scopes: ['mcp'] }, operator)
  const post: Post = async (path, message, more = {}) => {
    const answer = await fetch(gw.url + path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${issued.token.reveal()}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...more,
      },
      body: JSON.stringify(message),
      signal: AbortSignal.timeout(15_000),
    })
    const text = await answer.text()
    const messages = text.startsWith('{')
      ? [JSON.parse(text)]
      : text.split('\n').filter((line) => line.startsWith('data: {')).map((line) => JSON.parse(line.slice(6)))
    return { status: answer.status, session: answer.headers.get('mcp-session-id'), last: messages.at(-1) }
  }
  return { gw, post }
}

type Post = (path: string, message: object, headers?: Record<string, string>) => Promise<{
  status: number
  session: string | null
  last: { id?: number; result?: object; error?: { code: number; message: string } } | undefined
}>

/** Opens a session and calls the tool. */
async function callThrough(post: Post, path: string, tool: string) {
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 't', version: '1' } }
  const begun = await post(path, { jsonrpc: '2.0', id: 0, method: 'initialize', params })
  const own = { 'mcp-session-id': begun.session! }
  await post(path, { jsonrpc: '2.0', method: 'notifications/initialized' }, own)
  const began = performance.now()
  const { status, last } = await post(
    path,
    { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: tool, arguments: {} } },
    own,
  )
  return { status, last, tookMs: performance.now() - began }
}

async function expectRefusedAndAlive(post: Post, path: string, tool: string, well: () => void) {
  const { status, last, tookMs } = await callThrough(post, path, tool)
  expect([status, last]).toEqual([
    200,
    expect.objectContaining({
      id: 7,
      error: expect.objectContaining({ code: expect.any(Number), message: expect.any(String) }),
    }),
  ])
  expect(last!.error!.code).toBeLessThan(0)
  // One second is the deadline of a call here; the rest is the machine's.
  expect(tookMs).toBeLessThan(10_000)
  well()
  expect((await callThrough(post, path, tool)).last).toMatchObject({ id: 7, result: { content: [] } })
}

const overHttp: readonly (readonly [string, (call: Call) => void])[] = [
  ['hangs without a byte', () => {}],
  ['hangs in its head', ({ socket }) => void socket.write('HTTP/1.1 200 OK\r\ncontent-ty')],
  ['hangs in its body', ({ socket }) => void socket.write(streamHead)],
  ['sends a page as JSON', ({ socket }) => void socket.write(reply('<html>'))],
  [
    'sends JSON as an image',
    ({ socket }) => void socket.write(reply('\x89PNG', 'content-type: image/png')),
  ],
  [
    'sends a stream that is none',
    ({ socket }) => void socket.write(reply('no events', 'content-type: text/event-stream')),
  ],
  ['sends comments for ever', ({ socket }) => endless(socket, ': noise\n\n')],
  [
    'sends progress for ever',
    ({ socket }) =>
      endless(
        socket,
        'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}\n\n',
      ),
  ],
  [
    'sends an event without end',
    ({ socket }) => endless(socket, 'data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'),
  ],
  [
    'changes its session id',
    ({ id, socket }) =>
      void socket.write(reply(rpc(id, { content: [] }), 'content-type: application/json\r\nmcp-session-id: other')),
  ],
  ['dies at once', ({ socket }) => void socket.destroy()],
  ['dies in its body', ({ socket }) => void socket.write(streamHead, () => socket.destroy())],
  [
    'dies in the middle of an event',
    ({ socket }) =>
      void socket.write(streamHead + chunk('data: {"jsonrpc":"2.0","id":7,"resu'), () => socket.destroy()),
  ],
  ['says what is no HTTP', ({ socket }) => void socket.write('SSH-2.0-OpenSSH_9.9\r\n\r\n')],
  ['fails', ({ socket }) => void socket.write('HTTP/1.1 500 Oh\r\ncontent-length: 4\r\n\r\nboom')],
]

function endless(socket: Socket, text: string): void {
  socket.write(streamHead)
  const timer = setInterval(() => socket.write(chunk(text)), 20)
  socket.on('close', () => clearInterval(timer))
}

for (const [where, path, tool] of [['direct', '/v1/mcp/bad', 'x'], ['merged', '/v1/mcp', 'bad__x']] as const) {
  describe(`a server over HTTP, ${where}, that`, () => {
    for (const [what, behave] of overHttp) {
      test(`${what} is an error with the id of the call, and gw lives on`, async () => {
        let bad = true
        const url = await hostileServer((call) => {
          if (bad) behave(call)
          else call.socket.write(reply(rpc(call.id, { content: [] })))
        })
        const { post } = await serve({ url, local: true })
        await expectRefusedAndAlive(post, path, tool, () => void (bad = false))
      }, 40_000)
    }
  })

  describe(`a server over stdio, ${where}, that`, () => {
    for (
      const [what, behave] of [
        ['hangs', ''],
        ['dies', 'process.exit(1)'],
        ['prints what is no message', "say('<html>\\\\n')"],
        ['prints without end', "setInterval(() => say('x'.repeat(65536)), 1)"],
        ['answers another call', 'say(\'{"jsonrpc":"2.0","id":999,"result":{}}\\\\n\')'],
      ] as const
    ) {
      test(`${what} is an error with the id of the call, and gw lives on`, async () => {
        const mark = join(tmpdir(), `gw-hostile-${crypto.randomUUID()}`)
        ends.push(() => Bun.file(mark).delete().catch(() => {}))
        const behaves = `if (require('node:fs').existsSync(${
          JSON.stringify(mark)
        })) answer({ content: [] }); else { ${behave} }`
        const { post } = await serve({ command: hostileProgram(behaves) })
        await expectRefusedAndAlive(post, path, tool, () => writeFileSync(mark, ''))
      }, 40_000)
    }
  })
}
