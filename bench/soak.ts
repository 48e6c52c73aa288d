/**
 * The soak: 200 streams at a time, 30 % of them left in the middle, for half an hour; what memory and descriptors do.
 *
 * `bun bench/soak.ts [--minutes 30] [--translated]`; with `--translated` Messages come in and Chat Completions go out.
 */
import { parseArgs } from 'node:util'
import { showSoak, soak, soakModel } from './parts/soak.ts'
import { describeMachine, start } from './rig/process.ts'
import { chatBody, messagesBody } from './rig/run-load.ts'
import { startGw } from './targets/gw.ts'

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '30' },
    translated: { type: 'boolean', default: false },
  },
})
const minutes = Number(options.minutes)

console.log(describeMachine())
await using mock = start([process.execPath, new URL('./rig/mock.ts', import.meta.url).pathname], { core: 1 })
const mockPort = Number((await mock.lines.next()).value)
await using target = await startGw(mockPort, [])
const model = `${target.prefix}${soakModel}`
const soaked = await soak(
  target,
  mockPort,
  minutes,
  options.translated
    ? { path: '/v1/messages', body: messagesBody(model, true) }
    : { path: '/v1/chat/completions', body: chatBody(model, true) },
)
console.log(`\n${showSoak(options.translated ? 'gw, translated' : 'gw, passed on', minutes, soaked)}`)
