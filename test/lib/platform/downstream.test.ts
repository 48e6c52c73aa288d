import { afterAll, describe, expect, test } from 'bun:test'
import { connect, type Socket } from 'node:net'
import { type Downstream, openDownstream } from '../../../lib/base/mod.ts'
import { openDirect } from '../../../lib/platform/bun-downstream.ts'
import { bunPlatform } from '../../../lib/platform/bun.ts'
import type { HttpServer } from '../../../lib/platform/mod.ts'

const servers: HttpServer[] = []
const sockets: Socket[] = []
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  for (const server of servers) await server.stop(true)
})

const bytes = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

/** Polls a fact that another socket brings about; the deadline is the test's own. */
async function until(fact: () => boolean): Promise<void> {
  while (!fact()) await new Promise((resolve) => setTimeout(resolve, 1))
}

for (const [way, open] of [['web streams', openDownstream], ["Bun's own streams", openDirect]] as const) {
  describe(`an answer in pieces through ${way}`, () => {
    /** Serves one answer that `write` writes, and a client that reads it. */
    async function serve(write: (down: Downstream, told: { drained: number; left: number }) => void) {
      const told = { drained: 0, left: 0 }
      const state = { down: null as Downstream | null, told }
      const server = await bunPlatform.serve({
        host: '127.0.0.1',
        port: 0,
        maxBodyBytes: 1e6,
        fetch() {
          const down = state.down = open({ drained: () => void told.drained++, leave: () => void told.left++ })
          write(down, told)
          return new Response(down.stream, { headers: { 'content-type': 'text/event-stream' } })
        },
      })
      servers.push(server)
      const socket = connect(server.port, '127.0.0.1')
      sockets.push(socket)
      const seen = { text: '', closed: false, bytes: 0 }
      socket.on('data', (data) => {
        seen.bytes += data.length
        if (seen.text.length < 10_000) seen.text += data.toString('latin1')
      })
      socket.on('error', () => {})
      socket.on('close', () => seen.closed = true)
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
      return { ...state, socket, seen, down: () => state.down! }
    }

    test('what is written before the server reads comes first, and an end is an end', async () => {
      const { seen, down } = await serve((down) => down.write(bytes('one ')))
      await until(() => seen.text.includes('one '))
      down().write(bytes('two '))
      down().write(bytes('three'))
      down().end()
      down().write(bytes('never'))
      await until(() => seen.text.endsWith('0\r\n\r\n'))
      expect(seen.text.replace(/\r\n[0-9a-f]+\r\n/g, '')).toContain('one two three')
      expect(seen.text).not.toContain('never')
      expect(down().bytes).toBe('one two three'.length)
    })

    test('an answer that has ended before the server reads it is whole', async () => {
      const { seen } = await serve((down) => {
        down.write(bytes('all of it'))
        down.end()
      })
      // With a length, or with an end of its own.
      const whole = /\r\ncontent-length: 9\r\n[^]*\r\nall of it$|\r\nall of it\r\n0\r\n\r\n$/i
      await until(() => whole.test(seen.text))
      expect(seen.text).toStartWith('HTTP/1.1 200 ')
    })

    test('an answer that breaks has no end', async () => {
      const { seen, down } = await serve((down) => down.write(bytes('half')))
      await until(() => seen.text.includes('half'))
      down().break(new Error('it broke'))
      await until(() => seen.closed)
      expect(seen.text).not.toContain('\r\n0\r\n')
    })

    test('a caller that goes is told of once', async () => {
      const { seen, down, told, socket } = await serve((down) => down.write(bytes('hello')))
      await until(() => seen.text.includes('hello'))
      socket.destroy()
      await until(() => told.left > 0)
      down().write(bytes('more'))
      down().end()
      down().break(new Error('late'))
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(told.left).toBe(1)
      expect(down().full).toBe(false)
    })

    test('a caller that does not read makes it full, and empties it by reading', async () => {
      const { seen, down, told, socket } = await serve((down) => down.write(bytes('hello')))
      await until(() => seen.text.includes('hello'))
      socket.pause()
      const piece = new Uint8Array(16 * 1024)
      while (!down().full) {
        for (let i = 0; i < 16 && !down().full; i++) down().write(piece)
        await new Promise((resolve) => setTimeout(resolve, 0))
        // What the kernel takes on both sides, and a bound of gw's own.
        expect(down().bytes).toBeLessThan(32 * 1024 * 1024)
      }
      const drained = told.drained
      socket.resume()
      await until(() => told.drained > drained)
      expect(down().full).toBe(false)
      down().end()
      await until(() => seen.bytes > down().bytes)
    })

    test('much that is written before the server reads makes it full, until the server reads', async () => {
      const { seen, down, told } = await serve((down) => {
        down.write(new Uint8Array(512 * 1024))
        expect(down.full).toBe(true)
      })
      await until(() => seen.bytes > 512 * 1024)
      await until(() => !down().full)
      expect(told.drained).toBeGreaterThan(0)
      down().end()
    })
  })
}
