// gw as it serves: a home of its own, tokens, routing, usage records and log on. Prints its URL and its owner token.
import { jsonLogger } from '../../lib/base/mod.ts'
import { createGateway } from '../../lib/mod.ts'
import { serveUntilSignal, startServer } from '../../server/main.ts'

const [home = '', mock = ''] = process.argv.slice(2)
const gateway = await createGateway({
  home,
  cwd: home,
  env: { BENCH_KEY: 'sk-bench' },
  keychain: null,
  logger: jsonLogger((line) => console.error(line)),
  settings: {
    'egress.allow_origins': [mock],
    'providers.mock': { name: 'Mock', protocol: 'openai-chat', base_url: `${mock}/v1`, capabilities: ['chat'] },
    'accounts.mock': { provider: 'mock', token_env: 'BENCH_KEY' },
  },
})
const running = await startServer(gateway, { host: '127.0.0.1', port: 0 })
const owner = await gateway.rooms.access.createOwnerToken()
console.log(running.port)
console.log(owner?.token.reveal() ?? '')
await serveUntilSignal(gateway, running)
process.exit(0)
