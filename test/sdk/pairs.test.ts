import { type ProtocolId, protocolIds } from '../../lib/protocol/mod.ts'
import { openLine, token } from '../lib/gateway/harness.ts'
import { demoServer } from '../support/demo-server.ts'
import type { Target } from './target.ts'
import { twentySteps } from './twenty-steps.ts'

/** gw in front of an upstream that speaks one protocol only: three of four callers are translated. */
async function through(protocol: ProtocolId): Promise<Target> {
  const demo = demoServer({ key: 'sk-upstream-secret-0123456789' })
  const base = protocol.startsWith('openai') ? `${demo.url}/v1` : demo.url
  const line = await openLine({ urls: [base], protocol, model: 'demo-small' })
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    fetch: async (request) =>
      await line.door.fetch(request, { address: '127.0.0.1', loopback: true }) ?? new Response(null, { status: 404 }),
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    key: token,
    prefix: '',
    upstreamIs: (count, ms) => demo.inFlightIs(count, ms),
    async [Symbol.asyncDispose]() {
      await server.stop(true)
      line.close()
      await demo[Symbol.asyncDispose]()
    },
  }
}

for (const protocol of protocolIds) {
  twentySteps(`gw over an upstream of ${protocol}`, () => through(protocol))
}
