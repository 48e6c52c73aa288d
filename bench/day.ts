/**
 * The load of a day, in an hour.
 *
 *   bun bench/day.ts [--minutes 60] [--clients 50] [--think-ms 900]
 *
 * Clients of all three protocols ask models of three vendors, streamed and not, with tools; one call in a hundred goes
 * wrong and one stream in twenty is left. Meanwhile accounts die and come back, a login is renewed every minute, the
 * configuration changes, gw looks after its accounts, tools are called and the pages are read. At the end three books
 * must agree: the clients', gw's and the vendors'; and memory and descriptors must be where they were.
 * Exits with 1 when anything is wrong. Linux only: it reads /proc.
 */
import { parseArgs } from 'node:util'
import { balance } from './day/books.ts'
import { liveClient, type ProtocolName, type Seen } from './day/clients.ts'
import { accountsOf, models, startDayGateway } from './day/gateway.ts'
import { disturb } from './day/owner.ts'
import { startVendor } from './day/vendor.ts'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    clients: { type: 'string', default: '50' },
    'think-ms': { type: 'string', default: '900' },
  },
})
const dayMs = Number(values.minutes) * 60_000
const protocols: readonly ProtocolName[] = ['chat', 'responses', 'messages']
/** Growth that is no leak: of the memory after the warm-up tenth of the day, and of descriptors once all is quiet. */
const memoryBound = 1.15
const descriptorBound = 8
/** How long connections at rest may stay open: gw gives up its own after 15 s, the clients of the day after minutes. */
const restMs = 400_000

await using vendor = startVendor(8)
await using gateway = await startDayGateway(vendor.url)
const day = new AbortController()
const seen: Seen[] = []
let count = 0
const nextTag = () => `day-${++count}`

const descriptorsBefore = await gateway.descriptors()
const clients = Array.from({ length: Number(values.clients) }, (_, i) =>
  liveClient(
    { url: gateway.url, token: gateway.token, models, thinkMs: Number(values['think-ms']), signal: day.signal },
    protocols[i % protocols.length]!,
    nextTag,
    seen,
  ))
const short = Math.min(1, dayMs / 600_000)
const pace = { deathMs: 60_000 * short, reloadMs: 20_000 * short, pagesMs: 5_000 * short, toolMs: 500 }
const disturbing = disturb(gateway, vendor, pace, day.signal)

const began = Date.now()
const memory: { at: number; bytes: number; descriptors: number }[] = []
while (Date.now() - began < dayMs) {
  await new Promise((resolve) => setTimeout(resolve, Math.max(250, dayMs / 240)))
  const sample = {
    at: Date.now() - began,
    bytes: gateway.process.residentBytes(),
    descriptors: await gateway.descriptors(),
  }
  memory.push(sample)
  if (process.stderr.isTTY) {
    process.stderr.write(
      `\r${Math.round(sample.at / 1000)} s  ${seen.length} requests  ${
        megabytes(sample.bytes)
      } MB  ${sample.descriptors} descriptors `,
    )
  }
}
day.abort()
await Promise.all(clients)
const doings = await disturbing
// Records are written in batches.
await new Promise((resolve) => setTimeout(resolve, 2_000))
const books = balance(seen, { calls: vendor.calls, outages: vendor.outages, accountsOf }, gateway.database)
const descriptorsAfter = await gateway.descriptors()
// A short day ends before connections at rest are given up, and before the runtime's own memory has settled.
const long = dayMs >= 600_000
const quietSince = Date.now()
let descriptorsAtRest = descriptorsAfter
while (long && descriptorsAtRest > descriptorsBefore + descriptorBound && Date.now() - quietSince < restMs) {
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  descriptorsAtRest = await gateway.descriptors()
}
const restedMs = Date.now() - quietSince
const median = (part: typeof memory) => part.map(({ bytes }) => bytes).sort((a, b) => a - b)[part.length >> 1] ?? 0
const tenth = Math.max(1, Math.floor(memory.length / 10))
const [early, late] = [median(memory.slice(tenth, 2 * tenth)), median(memory.slice(-tenth))]
const wrong = [...books.wrong, ...doings.wrong]
if (vendor.refreshes.reused > 0) wrong.push(`${vendor.refreshes.reused} refresh tokens were spent twice`)
if (long && late > early * memoryBound) {
  wrong.push(`memory grew from ${megabytes(early)} to ${megabytes(late)} MB`)
}
// Sockets kept alive for the vendors and the clients are bounded by how many work at once.
if (descriptorsAtRest > descriptorsBefore + descriptorBound + (long ? 0 : 2 * clients.length)) {
  wrong.push(`descriptors grew from ${descriptorsBefore} to ${descriptorsAtRest}`)
}
const { wrong: _, unplanned, ...sums } = books
console.table({
  minutes: Number(values.minutes),
  clients: clients.length,
  ...sums,
  'logins renewed': vendor.refreshes.count,
  'accounts died': doings.deaths,
  'accounts came back': doings.recoveries,
  'configurations': doings.reloads,
  'pages read': doings.pagesRead,
  'tool calls': doings.toolCalls,
  'memory early, MB': megabytes(early),
  'memory late, MB': megabytes(late),
  'memory at rest, MB': megabytes(gateway.process.residentBytes()),
  'descriptors before': descriptorsBefore,
  'descriptors after': descriptorsAfter,
  'descriptors at rest': descriptorsAtRest,
  'rest, s': Math.round(restedMs / 1_000),
  'CPU, s': Math.round(gateway.process.cpuMicros() / 1e6),
})
const sixth = Math.max(1, Math.floor(memory.length / 6))
console.table(Array.from({ length: Math.ceil(memory.length / sixth) }, (_, i) => {
  const part = memory.slice(i * sixth, (i + 1) * sixth)
  return {
    'until, s': Math.round(part.at(-1)!.at / 1_000),
    'memory, MB': megabytes(median(part)),
    'descriptors at most': Math.max(...part.map(({ descriptors }) => descriptors)),
  }
}))
for (const [what, count] of unplanned) console.log(`${count} attempts failed without a planted fault: ${what}`)
const kinds = Map.groupBy(wrong, (sentence) => sentence.replace(/(?:day-|req_)\w+|\d{2,}/g, '…').slice(0, 160))
if (wrong.length > 40) { for (const [kind, all] of kinds) console.log(`${all.length} times: ${kind}`) }
for (const sentence of wrong.slice(0, 40)) console.log(`wrong: ${sentence}`)
if (wrong.length > 40) console.log(`… and ${wrong.length - 40} more`)
console.log(wrong.length === 0 ? 'the day went well' : `${wrong.length} things are wrong`)
process.exitCode = wrong.length === 0 ? 0 : 1

function megabytes(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}
