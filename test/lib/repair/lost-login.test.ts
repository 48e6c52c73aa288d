import { afterEach, describe, expect, test } from 'bun:test'
import type { Account, TargetKey } from '../../../lib/accounts/mod.ts'
import { type AccountId, Secret } from '../../../lib/base/mod.ts'
import type { Provider } from '../../../lib/catalog/mod.ts'
import type { Credential } from '../../../lib/credentials/mod.ts'
import { createHost } from '../../../lib/repair/host.ts'
import { createInventory } from '../../../lib/repair/inventory/inventory.ts'
import { relayRoutes } from '../../../lib/repair/inventory/relay.ts'
import { inventorySchema } from '../../../lib/repair/inventory/schema.ts'
import { relayAccounts } from '../../../lib/repair/relay.ts'
import { openWorld, type World } from './world.ts'

const provider: Provider = {
  id: 'house',
  name: 'House',
  aliases: [],
  env: [],
  auth: { type: 'bearer' },
  deployments: [{ protocol: 'openai-chat', baseUrl: 'https://house.example/v1', capabilities: ['chat', 'embeddings'] }],
  docs: 'https://house.example',
} as unknown as Provider

const account = (id: string, source: Account['source']): Account => ({
  id: id as AccountId,
  provider: 'house',
  label: id,
  source,
  enabled: true,
  priority: 0,
  weight: 1,
  plan: true,
  allowUndocumentedUse: false,
  limits: { concurrency: null, requestsPerMinute: null, spendMicrosPerDay: null },
  baseUrl: null,
  models: [],
  tags: [],
  origin: 'config',
})

const login = account('mine', { type: 'login', vendor: 'house', binding: 'mine' })
const shared = account('shared', { type: 'foreign', tool: 'their-cli', path: null })
const spare = account('spare', { type: 'env', variable: 'SPARE' })
const inventory = createInventory(inventorySchema().parse({}), relayRoutes([login, shared, spare], () => provider))

const refused = { kind: 'unauthorized', scope: 'account', status: 401, windows: [] } as never
const target = (id: string) => ({
  provider: 'house',
  account: id as AccountId,
  capability: 'chat' as const,
  model: 'm',
})
const settings = () => ({ enabled: true, execute: true, intervalMs: 60_000, refreshAheadMs: 0 })

let world: World
afterEach(() => world.close())

const waiting = async () =>
  (await world.repair.handoffs.list()).map(({ profile, account, capability, action, command }) => ({
    profile,
    account,
    capability,
    action,
    command,
  }))

describe('a login of gw that is refused although it was just renewed', () => {
  test('waits for a person at once, and once, although another account carries on', async () => {
    world = await openWorld({ inventory: () => inventory })
    const host = createHost(world.repair.context, settings, () => 0.5)
    host.start()
    world.board.note('house:spare#chat' as TargetKey, { is: 'success', source: 'serving' })
    world.board.observe(target('mine'), { is: 'failure', failure: refused })
    world.board.observe(target('mine'), { is: 'failure', failure: refused })
    await host.stop()
    const mine = {
      profile: null,
      account: 'mine',
      capability: null,
      action: 'reauth',
      command: 'gw repair run --provider house --account mine --capability chat --confirm-repair',
    }
    expect(await waiting()).toEqual([mine])
    expect(host.pending()).toMatchObject([{ provider: 'house', account: 'mine', pending: true }])
    expect((await world.repair.events.list({})).events).toMatchObject([
      { kind: 'daemon_handoff', outcome: 'handoff_queued', account: 'mine', reason: 'token_revoked', action: 'reauth' },
    ])
    await host.step()
    await world.repair.tick({ execute: true })
    expect(await waiting()).toEqual([mine])
  })

  test('is looked for at each look too: another process may have seen the refusal', async () => {
    world = await openWorld({ inventory: () => inventory })
    world.board.observe(target('mine'), { is: 'failure', failure: refused })
    const host = createHost(world.repair.context, settings, () => 0.5)
    await host.step()
    expect(await waiting()).toMatchObject([{ account: 'mine' }])
    expect(host.pending()).toHaveLength(1)
  })

  test('is done when a new login works, and may be lost again', async () => {
    world = await openWorld({ inventory: () => inventory })
    const host = createHost(world.repair.context, settings, () => 0.5)
    world.board.observe(target('mine'), { is: 'failure', failure: refused })
    await host.step()
    world.board.refreshed('house', 'mine')
    world.board.note('house:mine#chat' as TargetKey, { is: 'success', source: 'serving' })
    await host.step()
    expect(await waiting()).toEqual([])
    world.board.observe(target('mine'), { is: 'failure', failure: refused })
    await host.step()
    expect(await waiting()).toHaveLength(1)
  })

  test('of another program is handed over without a command of ours', async () => {
    world = await openWorld({ inventory: () => inventory })
    world.board.observe(target('shared'), { is: 'failure', failure: refused })
    await createHost(world.repair.context, settings, () => 0.5).step()
    expect(await waiting()).toMatchObject([{ account: 'shared', action: 'reauth', command: null }])
  })

  test('is nothing that a person has to do where the secret is somebody else’s to replace', async () => {
    world = await openWorld({ inventory: () => inventory })
    world.board.observe(target('spare'), { is: 'failure', failure: refused })
    await createHost(world.repair.context, settings, () => 0.5).step()
    expect(await waiting()).toEqual([])
  })
})

describe('a probe of an account of the relay', () => {
  const credential = (secret: string) => ({ secret: new Secret(secret) }) as unknown as Credential
  const asking = (good: string, renewed: string) => {
    const sent: string[] = []
    const relay = relayAccounts({
      accounts: {
        get: () => login,
        credentialFor: (_, options) => Promise.resolve(credential(options?.rejected ? renewed : 'old')),
      },
      provider: () => provider,
      upstream: {
        send: ({ credential }: { credential: Credential }) => {
          sent.push(credential.secret.reveal())
          const reply = credential.secret.reveal() === good
            ? { ok: true, status: 200, body: { cancel() {} } }
            : { ok: false, failure: { kind: 'unauthorized', status: 401, retryAfterMs: null, code: null, message: '' } }
          return { reply: Promise.resolve(reply), cancel() {} }
        },
      } as never,
    })
    return { sent, ask: () => relay.ask(inventory.accounts[0]!, 'chat', 1_000) }
  }

  test.each([
    ['is asked again with a token that was renewed', 'new', 'new', ['old', 'new'], 200],
    ['is refused when the renewed token is refused too', 'none', 'new', ['old', 'new'], 401],
    ['is asked once when nothing could be renewed', 'none', 'old', ['old'], 401],
  ])('%s', async (_, good, renewed, tokens, status) => {
    world = await openWorld({ inventory: () => inventory })
    const { sent, ask } = asking(good, renewed)
    expect((await ask()).status).toBe(status)
    expect(sent).toEqual([...tokens])
  })
})
