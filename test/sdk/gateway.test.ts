import { demoServer } from '../support/demo-server.ts'
import { plantedKey, providerAt, startGateway } from '../support/gateway.ts'
import { anthropicScenario } from './anthropic.ts'
import { openaiScenario } from './openai.ts'
import { pythonScenario, pythonTwentySteps } from './python/python.ts'
import type { Target } from './target.ts'
import { clientProtocols, twentySteps } from './twenty-steps.ts'

/** gw in front of the demo upstream, with real sockets on both sides. */
async function through(prefix: string): Promise<Target> {
  const upstream = demoServer({ key: plantedKey })
  // Models that the catalogue does not know can be asked for by account, and listed once their owner names them.
  const settings = { 'providers.openai': { models: { 'demo-small': { context_tokens: 200_000 } } } }
  const gateway = await startGateway({ upstream: upstream.url, settings })
  return {
    url: gateway.url,
    key: gateway.token,
    prefix,
    upstreamIs: (count, ms) => upstream.inFlightIs(count, ms),
    async [Symbol.asyncDispose]() {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

openaiScenario('gw', () => through('openai/'))
anthropicScenario('gw', () => through('anthropic/'))

/** gw with its built-in demo upstream, which speaks all protocols. */
async function builtIn(): Promise<Target> {
  const gateway = await startGateway({ demo: true })
  return {
    url: gateway.url,
    key: gateway.token,
    prefix: 'demo/',
    upstreamIs: () => Promise.reject(new Error('the built-in upstream is not counted')),
    [Symbol.asyncDispose]: () => gateway.close(),
  }
}

pythonScenario('gw', builtIn)

/** gw in front of a model that speaks one protocol only: callers of the others are translated. */
async function before(protocol: typeof clientProtocols[number]): Promise<Target> {
  const upstream = demoServer({ key: plantedKey })
  const gateway = await startGateway({ settings: providerAt(upstream.url, protocol) })
  return {
    url: gateway.url,
    key: gateway.token,
    prefix: 'up/',
    upstreamIs: (count, ms) => upstream.inFlightIs(count, ms),
    async [Symbol.asyncDispose]() {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

for (const protocol of clientProtocols) {
  twentySteps(`gw before a model that speaks ${protocol}`, () => before(protocol))
  pythonTwentySteps(`gw before a model that speaks ${protocol}`, () => before(protocol))
}
