import { afterAll, describe, expect, test } from 'bun:test'
import { createServer, type Server, type Socket } from 'node:net'
import { type GwError, readAll } from '../../../lib/base/mod.ts'
import { connectBun } from '../../../lib/platform/http1/bun-socket.ts'
import { createClient } from '../../../lib/platform/http1/client.ts'
import { connectNode } from '../../../lib/platform/http1/node-socket.ts'

const servers: Server[] = []
afterAll(() => servers.forEach((server) => server.close()))

/** A raw TCP upstream that may say anything. */
async function listen(onRequest: (socket: Socket, request: string, count: number) => void) {
  const state = { connections: 0, requests: 0, closed: 0 }
  const server = createServer((socket) => {
    state.connections++
    socket.on('error', () => {})
    socket.on('close', () => state.closed++)
    let text = ''
    socket.on('data', (data) => {
      text += data.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      if (end < 0) return
      const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0)
      if (text.length < end + 4 + length) return
      const request = text
      text = ''
      onRequest(socket, request, ++state.requests)
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { port: (server.address() as { port: number }).port, state }
}

const post = (port: number, path = '/x') => ({
  url: new URL(`http://upstream.test:${port}${path}`),
  addresses: ['127.0.0.1'],
  method: 'POST',
  headers: [['content-type', 'application/json'], ['x-a', 'b']] as const,
  body: new TextEncoder().encode('{"a":1}'),
})

const text = async (body: Parameters<typeof readAll>[0]) =>
  new TextDecoder().decode(await readAll(body, 1e9) ?? undefined)

/** Polls a fact that another socket brings about; the deadline is the test's own. */
async function until(fact: () => boolean): Promise<void> {
  while (!fact()) await new Promise((resolve) => setTimeout(resolve, 1))
}

for (const [runtime, connect] of [['Bun', connectBun], ['Node', connectNode]] as const) {
  describe(`the HTTP client on sockets of ${runtime}`, () => {
    for (
      const [what, answer, body] of [
        ['a length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
        ['no body', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', ''],
        [
          'chunks',
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;ext="1"\r\nllo\r\n0\r\n\r\n',
          'hello',
        ],
        [
          'chunks and a trailer',
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-t: 1\r\n\r\n',
          'hello',
        ],
        ['the end of the connection', 'HTTP/1.0 200 OK\r\n\r\nhello', 'hello'],
        ['no reason phrase', 'HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok', 'ok'],
        [
          'an interim answer first',
          'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
          'ok',
        ],
        ['a 204', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
        ['a body on a 204, which is not one', 'HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nno', ''],
        ['more than its length', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok-and-more', 'ok'],
      ] as const
    ) {
      for (const size of [1, 7, 1e9]) {
        test(`reads an answer with ${what}, ${size === 1e9 ? 'whole' : `${size} bytes at a time`}`, async () => {
          const { port } = await listen(async (socket) => {
            for (let at = 0; at < answer.length; at += size) {
              socket.write(answer.slice(at, at + size))
              await new Promise(setImmediate)
            }
            if (answer.startsWith('HTTP/1.0')) socket.end()
          })
          const client = createClient({ connect })
          const reply = await client.dial(post(port)).reply
          expect(await text(reply.body)).toBe(body)
          client.close()
        })
      }
    }

    for (
      const [what, answer, code] of [
        ['nothing', '', 'upstream.unreachable'],
        ['half a head', 'HTTP/1.1 200 OK\r\ncontent-', 'upstream.unreachable'],
        ['another protocol', 'SSH-2.0-OpenSSH_9\r\n', 'upstream.invalid'],
        ['a web page', '<html>', 'upstream.invalid'],
        ['HTTP/2', 'HTTP/2 200\r\n\r\n', 'upstream.invalid'],
        ['status 000', 'HTTP/1.1 000 X\r\n\r\n', 'upstream.invalid'],
        ['status 999', 'HTTP/1.1 999 X\r\n\r\n', 'upstream.invalid'],
        ['status 2000', 'HTTP/1.1 2000 X\r\n\r\n', 'upstream.invalid'],
        ['an unasked upgrade', 'HTTP/1.1 101 Switching\r\n\r\n', 'upstream.invalid'],
        ['a flood of interim answers', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20), 'upstream.invalid'],
        ['bare line feeds', 'HTTP/1.1 200 OK\ncontent-length: 2\n\nok', 'upstream.unreachable'],
        ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok', 'upstream.invalid'],
        ['one length twice', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok', 'upstream.invalid'],
        ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\nok', 'upstream.invalid'],
        ['a length with a plus', 'HTTP/1.1 200 OK\r\ncontent-length: +2\r\n\r\nok', 'upstream.invalid'],
        ['an overflowing length', `HTTP/1.1 200 OK\r\ncontent-length: ${'9'.repeat(30)}\r\n\r\nok`, 'upstream.invalid'],
        [
          'a length and chunks',
          'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
          'upstream.invalid',
        ],
        [
          'an unknown transfer coding',
          'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n',
          'upstream.invalid',
        ],
        ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', 'upstream.invalid'],
        ['a folded header', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n', 'upstream.invalid'],
        ['a space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 2\r\n\r\nok', 'upstream.invalid'],
        ['a NUL in a header', 'HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n', 'upstream.invalid'],
        ['a lone CR in a header', 'HTTP/1.1 200 OK\r\na: b\rc: d\r\n\r\n', 'upstream.invalid'],
        ['a lone LF in a header', 'HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n', 'upstream.invalid'],
        ['a nameless header', 'HTTP/1.1 200 OK\r\n: b\r\n\r\n', 'upstream.invalid'],
        ['5,000 headers', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(5000)}\r\n`, 'upstream.invalid'],
        ['a header of 1 MB', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(1 << 20)}\r\n\r\n`, 'upstream.invalid'],
        ['an endless header', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(1 << 20)}`, 'upstream.invalid'],
      ] as const
    ) {
      test(`refuses ${what} with ${code}`, async () => {
        const { port } = await listen((socket) => void socket.end(Buffer.from(answer, 'latin1')))
        const client = createClient({ connect })
        const error = await client.dial(post(port)).reply.then(() => null, (error: GwError) => error)
        expect(error?.code).toBe(code)
        expect(client.idle).toBe(0)
        client.close()
      })
    }

    for (
      const [what, answer] of [
        ['a short length', 'HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort'],
        ['no last chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n'],
        ['half a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n50\r\nhello'],
        ['a bad chunk size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nxyz\r\n'],
        ['a negative chunk size', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n-1\r\n'],
        [
          'an overflowing chunk size',
          'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nffffffffffffffff\r\n',
        ],
        [
          'a chunk longer than its size',
          'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhelloworld\r\n0\r\n\r\n',
        ],
        ['chunk lines that end in LF', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\n0\n\n'],
        [
          'an endless trailer',
          `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n${'a: b\r\n'.repeat(5000)}`,
        ],
      ] as const
    ) {
      test(`reports ${what} as a broken body, never as a whole one`, async () => {
        const { port } = await listen((socket) => void socket.end(answer))
        const client = createClient({ connect })
        const reply = await client.dial(post(port)).reply
        const error = await text(reply.body).then(() => null, (error: GwError) => error)
        expect(error?.code).toMatch(/^upstream\./)
        expect(client.idle).toBe(0)
        client.close()
      })
    }

    test('writes the host, the length and the given fields, and nothing of its own', async () => {
      let seen = ''
      const { port } = await listen((socket, request) => {
        seen = request
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
      })
      const client = createClient({ connect })
      await client.dial(post(port, '/v1/a?b=c')).reply
      expect(seen).toBe(
        `POST /v1/a?b=c HTTP/1.1\r\nhost: upstream.test:${port}\r\ncontent-type: application/json\r\nx-a: b\r\ncontent-length: 7\r\n\r\n{"a":1}`,
      )
      client.close()
    })

    test('never writes a header that would end a line', async () => {
      const { port, state } = await listen(() => {})
      const client = createClient({ connect })
      const error = await client.dial({ ...post(port), headers: [['x', 'a\r\nevil: 1']] }).reply.then(
        () => null,
        (error) => error,
      )
      expect(error?.code).toBe('request.invalid')
      expect(state.requests).toBe(0)
      client.close()
    })

    test('uses a connection again, and a fresh one when the server has closed the kept one', async () => {
      const { port, state } = await listen((socket, _, count) => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
        if (count === 2) socket.destroySoon()
      })
      const client = createClient({ connect })
      for (let i = 0; i < 2; i++) expect(await text((await client.dial(post(port)).reply).body)).toBe('ok')
      expect(state.connections).toBe(1)
      // Whether the close was seen already or comes while the request is on its way, the answer is a whole one.
      expect(await text((await client.dial(post(port)).reply).body)).toBe('ok')
      expect(state).toMatchObject({ connections: 2, requests: 3 })
      client.close()
    })

    test('never sends a request twice when a fresh connection dies', async () => {
      const { port, state } = await listen((socket) => void socket.destroy())
      const client = createClient({ connect })
      const error = await client.dial(post(port)).reply.then(() => null, (error) => error)
      expect([error?.code, state.requests]).toEqual(['upstream.unreachable', 1])
      client.close()
    })

    test('tries the next address only where nobody answers', async () => {
      const { port } = await listen((socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'))
      const client = createClient({ connect, connectMs: 2000 })
      const reply = await client.dial({ ...post(port), addresses: ['127.0.0.2', '127.0.0.1'] }).reply
      expect(await text(reply.body)).toBe('ok')
      client.close()
    })

    test('cancel() closes the connection in every phase', async () => {
      const { port, state } = await listen((socket, request) => {
        if (request.includes('/body')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nbegin')
      })
      const client = createClient({ connect })
      const connecting = client.dial(post(port))
      connecting.cancel()
      expect((await connecting.reply.catch((error) => error)).code).toBe('cancelled')
      const waiting = client.dial(post(port))
      await until(() => state.requests === 1)
      waiting.cancel()
      expect((await waiting.reply.catch((error) => error)).code).toBe('cancelled')
      const reading = client.dial(post(port, '/body'))
      const reply = await reading.reply
      reply.body.start({ chunk() {}, end() {}, fail() {} })
      reading.cancel()
      await until(() => state.closed === state.connections)
      expect(client.idle).toBe(0)
      client.close()
    })

    test('holds the server back while its reader is paused', async () => {
      let sent = 0
      const { port } = await listen((socket) => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n')
        const piece = Buffer.alloc(65536)
        const more = (): void => {
          while (sent < 67108864) {
            sent += piece.length
            if (!socket.write(piece)) return void socket.once('drain', more)
          }
        }
        more()
      })
      const client = createClient({ connect })
      const reply = await client.dial(post(port)).reply
      let got = 0
      const done = new Promise<void>((resolve, reject) =>
        reply.body.start({
          chunk(bytes) {
            got += bytes.length
            if (got === bytes.length) reply.body.pause()
          },
          end: resolve,
          fail: reject,
        })
      )
      let before = -1
      while (before !== sent) {
        before = sent
        await new Promise((resolve) => setTimeout(resolve, 60))
      }
      expect(sent).toBeLessThan(16 * 1024 * 1024)
      reply.body.resume()
      await done
      expect(got).toBe(67108864)
      client.close()
    })
  })
}
