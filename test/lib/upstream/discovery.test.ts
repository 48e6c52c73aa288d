import { expect, test } from 'bun:test'
import { fakeUpstream } from '../../support/fake-upstream.ts'
import { providerAt, startGateway, type TestGateway } from '../../support/gateway.ts'

interface Listed {
  readonly data: readonly {
    readonly id: string
    readonly accounts: readonly string[]
    readonly heardAt: number | null
    readonly contextTokens: number | null
  }[]
}

async function list(gw: TestGateway, query: string): Promise<Listed> {
  const reply = await fetch(`${gw.url}/api/models/list?${query}`, { headers: { 'x-api-key': gw.token } })
  if (reply.status !== 200) throw new Error(await reply.text())
  return await reply.json() as Listed
}

test('what a provider lists is asked once, kept, and shown with the accounts that can serve it', async () => {
  await using upstream = await fakeUpstream((exchange) =>
    exchange.json({ object: 'list', data: [{ id: 'new-model' }, { id: 'a b' }, { id: 7 }, { id: 'x'.repeat(500) }] })
  )
  const settings = {
    ...providerAt(upstream.url, 'openai-chat'),
    'providers.up.models': { 'new-model': { context_tokens: 4_000 } },
  }
  await using gw = await startGateway({ settings })
  expect(upstream.requests).toHaveLength(0)
  const shown = await list(gw, 'available=true')
  expect(shown.data).toMatchObject([{ id: 'up/new-model', accounts: ['up'], contextTokens: 4_000 }])
  expect(shown.data[0]!.heardAt).toBeGreaterThan(0)
  expect(upstream.requests.map(({ method, target }) => [method, target])).toEqual([['GET', '/v1/models']])
  await list(gw, 'available=true')
  expect(upstream.requests).toHaveLength(1)
  await list(gw, 'refresh=true')
  expect(upstream.requests).toHaveLength(2)
})

test('a provider that does not tell is left alone, and stands as it stood', async () => {
  await using upstream = await fakeUpstream((exchange) => exchange.json({ error: { message: 'no' } }, { status: 401 }))
  await using gw = await startGateway({ settings: providerAt(upstream.url, 'openai-chat') })
  expect((await list(gw, 'available=true')).data).toEqual([])
  await list(gw, 'available=true')
  expect(upstream.requests).toHaveLength(1)
  expect(gw.gateway.rooms.board.all()).toEqual([])
})
