import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type AdminClient, createAdminClient, failureOf } from '../../client/mod.ts'
import { openServed, type ServedGateway } from '../surfaces/served.ts'

let served: ServedGateway
let client: AdminClient
beforeAll(async () => {
  served = await openServed()
  client = createAdminClient({ url: served.url, token: served.token })
})
afterAll(() => served.close())

async function ask(): Promise<void> {
  const answer = await fetch(`${served.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'demo-small', messages: [{ role: 'user', content: 'hello' }] }),
  })
  expect(answer.status).toBe(200)
  await answer.text()
}

test('the typed client lists accounts and issues a token', async () => {
  const { data: accounts } = await client.accounts.list.query()
  expect(accounts.map((account) => account.id)).toEqual(['demo'])
  const { token, label } = await client.tokens.issue.mutate({ label: 'laptop', scopes: ['read'] })
  expect(label).toBe('laptop')
  const narrow = createAdminClient({ url: served.url, token })
  expect((await narrow.system.version.query()).runtime).toBe('bun')
  const refused = await narrow.accounts.list.query().catch(failureOf)
  expect(refused).toMatchObject({ code: 'access.scope' })
})

test('a failure carries its code, hint and field', async () => {
  expect(await client.tokens.show.query({ id: 'nobody' }).catch(failureOf)).toMatchObject({ code: 'request.not_found' })
  const wrong = client.tokens.list.query({ limit: 0 })
  expect(await wrong.catch(failureOf)).toMatchObject({ code: 'request.invalid', param: 'limit' })
})

test('a stream shows requests as they end, and goes on after the last one that was seen', async () => {
  const first = Promise.withResolvers<string>()
  const stop = client.usage.watch.subscribe({}, {
    onStarted: () => void ask(),
    onData: (event) => first.resolve(event.id),
    onError: first.reject,
  })
  const seen = await first.promise
  stop.unsubscribe()
  await ask()
  await ask()
  const missed: string[] = []
  const both = Promise.withResolvers<void>()
  const again = client.usage.watch.subscribe({ lastEventId: seen }, {
    onData: (event) => {
      missed.push(event.id)
      if (missed.length === 2) both.resolve()
    },
    onError: both.reject,
  })
  await both.promise
  again.unsubscribe()
  expect(new Set(missed).size).toBe(2)
  expect(missed).not.toContain(seen)
  const polled = await client.usage.since.query({ cursor: seen })
  expect(polled.data.map((one) => `${one.at}.${one.id}`)).toEqual(missed)
}, 20_000)

test('revoking a token ends its streams', async () => {
  const { token, id } = await client.tokens.issue.mutate({ label: 'watcher', scopes: ['read'] })
  const watcher = createAdminClient({ url: served.url, token })
  const started = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<void>()
  const stream = watcher.usage.watch.subscribe({}, {
    onStarted: () => started.resolve(),
    onConnectionStateChange: ({ state }) => state !== 'pending' && started.resolve(),
    onError: () => ended.resolve(),
    onStopped: () => ended.resolve(),
    onComplete: () => ended.resolve(),
  })
  await started.promise
  await client.tokens.revoke.mutate({ id })
  await ended.promise
  stream.unsubscribe()
}, 20_000)
