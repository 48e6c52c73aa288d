import { expect, test } from 'bun:test'
import { createServer } from 'node:net'
import { expectSentence, gw, inHome, serve } from './program.ts'

const linux = process.platform === 'linux'

test(
  'a port that another gw has: it is named by its home, and nothing of it ends',
  () =>
    inHome((other) =>
      inHome(async (home) => {
        await using served = await serve({ home: other })
        const holder = linux ? ` by the gw of ${other} \\(process ${served.pid}\\)` : ''
        const refused = await gw(['serve', '--port', String(served.port)], { home })
        expectSentence(refused, 1, new RegExp(`port ${served.port} of 127.0.0.1 is in use${holder}\n.*--port`))
        const doctor = await gw(['doctor', '--port', String(served.port)], { home })
        expect(doctor.out).toMatch(new RegExp(`is in use${holder}`))
        expect((await fetch(`${served.url}/healthz`)).status).toBe(200)
      })
    ),
  60_000,
)

test('a port that another program has: which one, and what helps', () =>
  inHome(async (home) => {
    const server = createServer()
    const port = await new Promise<number>((resolve) =>
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
    )
    try {
      const holder = linux ? ` by \\S+ \\(process ${process.pid}\\)` : ''
      const says = new RegExp(`port ${port} of 127.0.0.1 is in use${holder}\n.*--port`)
      expectSentence(await gw(['serve', '--port', String(port)], { home }), 1, says)
      expectSentence(await gw(['demo', '--port', String(port)], { home }), 1, says)
    } finally {
      server.close()
    }
  }), 60_000)

test('a port that nobody may have', () =>
  inHome(async (home) => {
    expectSentence(await gw(['serve', '--port', '70000'], { home }), 200, /server\.port/)
    expectSentence(await gw(['serve', '--port', '0', '--host', '192.0.2.1'], { home }), 1, /192\.0\.2\.1/)
  }), 60_000)
