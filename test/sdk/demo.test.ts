import { demoServer } from '../support/demo-server.ts'
import { anthropicScenario } from './anthropic.ts'
import { openaiScenario } from './openai.ts'
import { pythonScenario } from './python/python.ts'
import type { Target } from './target.ts'
import { twentySteps } from './twenty-steps.ts'

/** The demo upstream itself: what holds here and not through gw is gw's fault. */
function direct(): Promise<Target> {
  const server = demoServer({ key: 'sk-demo' })
  return Promise.resolve({
    url: server.url,
    key: 'sk-demo',
    prefix: '',
    upstreamIs: (count, ms) => server.inFlightIs(count, ms),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  })
}

openaiScenario('the demo upstream', direct)
anthropicScenario('the demo upstream', direct)
pythonScenario('the demo upstream', direct)
twentySteps('the demo upstream itself', direct)
