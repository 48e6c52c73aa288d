import { type DayGateway, keys } from './gateway.ts'
import type { Vendor } from './vendor.ts'

/** What the owner and the vendors did besides the requests. */
export interface Doings {
  deaths: number
  recoveries: number
  reloads: number
  pagesRead: number
  toolCalls: number
  readonly wrong: string[]
}

/** How often each thing happens, in milliseconds. */
export interface Pace {
  readonly deathMs: number
  readonly reloadMs: number
  readonly pagesMs: number
  readonly toolMs: number
}

/** Lets accounts die and come back, changes the configuration, reads the pages and calls tools, until the day is over. */
export async function disturb(gateway: DayGateway, vendor: Vendor, pace: Pace, signal: AbortSignal): Promise<Doings> {
  const doings: Doings = { deaths: 0, recoveries: 0, reloads: 0, pagesRead: 0, toolCalls: 0, wrong: [] }
  const every = async (ms: number, work: () => Promise<void>) => {
    while (!signal.aborted) {
      await new Promise((resolve) => setTimeout(resolve, ms))
      if (signal.aborted) return
      await work().catch((error: Error) => doings.wrong.push(error.message))
    }
  }
  const accounts = Object.keys(keys) as (keyof typeof keys)[]
  await Promise.all([
    every(pace.deathMs, async () => {
      const account = accounts[doings.deaths++ % accounts.length]!
      vendor.revoke(keys[account])
      await new Promise((resolve) => setTimeout(resolve, pace.deathMs / 2))
      vendor.restore(keys[account])
      // The owner who has mended a key says so; gw would find out by itself at its next probe.
      const { data: standings } = await gateway.call('liveness.list') as { data: { key: string }[] }
      for (const { key } of standings) {
        if (key.includes(`:${account}`)) await gateway.call('liveness.reset', { key })
      }
      doings.recoveries++
    }),
    every(pace.reloadMs, async () => {
      await gateway.configure({ leastUsed: doings.reloads++ % 2 === 0 })
    }),
    every(pace.pagesMs, async () => {
      await Promise.all([
        gateway.call('usage.summary'),
        gateway.call('usage.requests'),
        gateway.call('accounts.list'),
        gateway.call('state.status'),
        text(gateway, '/metrics'),
        text(gateway, '/v1/usage'),
      ])
      doings.pagesRead++
    }),
    every(pace.toolMs, async () => {
      const reply = await fetch(`${gateway.url}/v1/mcp/day`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${gateway.token}`,
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: doings.toolCalls,
          method: 'tools/call',
          params: { name: 'echo', arguments: { turn: doings.toolCalls } },
        }),
        signal: AbortSignal.timeout(30_000),
      })
      const said = await reply.text()
      if (!reply.ok || !said.includes('"content"')) throw new Error(`a tool call answered ${reply.status}: ${said}`)
      doings.toolCalls++
    }),
  ])
  return doings
}

async function text({ url, token }: DayGateway, path: string): Promise<void> {
  const reply = await fetch(url + path, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(30_000),
  })
  await reply.text()
  if (!reply.ok) throw new Error(`${path} answered ${reply.status}`)
}
