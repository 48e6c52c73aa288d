import { afterAll, expect, test } from 'bun:test'
import { operator } from '../../../lib/access/mod.ts'
import type { TargetKey } from '../../../lib/accounts/mod.ts'
import { Secret } from '../../../lib/base/mod.ts'
import { createGateway } from '../../../lib/mod.ts'
import { demoServer } from '../../support/demo-server.ts'
import { startGateway } from '../../support/gateway.ts'

const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

/** A server, and another process of the same home: what the command line is to it. */
async function open({ key }: { readonly key?: string } = {}) {
  const far = demoServer(key === undefined ? {} : { key })
  const settings = { 'egress.allow_origins': [new URL(far.url).origin], 'providers.openai.base_url': `${far.url}/v1` }
  const served = await startGateway({ settings })
  const beside = await createGateway({ home: served.home, cwd: served.home, env: {}, keychain: null, settings })
  closers.push(() => far[Symbol.asyncDispose](), () => served.close(), () => beside.close())
  const ask = (token = served.token) =>
    fetch(`${served.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'openai/demo-small', messages: [{ role: 'user', content: 'hi' }] }),
    })
  const list = async (): Promise<string[]> => {
    const answer = await fetch(`${served.url}/api/accounts/list`, {
      headers: { authorization: `Bearer ${served.token}` },
    })
    return ((await answer.json()) as { data: { id: string }[] }).data.map(({ id }) => id)
  }
  return { served, beside, ask, list }
}

test('an account that another process of the home adds serves the very next request', async () => {
  const { beside, ask } = await open()
  await beside.rooms.accounts.add({ provider: 'openai' }, new Secret('sk-added-a-moment-ago'))
  expect((await ask()).status).toBe(200)
})

test('what another process does to an account counts for the very next request, however busy gw is', async () => {
  const { beside, ask } = await open()
  const { id } = await beside.rooms.accounts.add({ provider: 'openai' }, new Secret('sk-added-a-moment-ago'))
  const busy = new AbortController()
  const others = Promise.all(Array.from({ length: 4 }, async () => {
    while (!busy.signal.aborted) await (await ask()).text()
  }))
  try {
    for (let round = 0; round < 20; round++) {
      const enabled = round % 2 === 1
      await beside.rooms.accounts.setEnabled(id, enabled)
      expect((await ask()).status).toBe(enabled ? 200 : 503)
    }
  } finally {
    busy.abort()
    await others
  }
})

test('a key that another process replaced is used at once, and brings an account that its old key killed back', async () => {
  const { beside, ask } = await open({ key: 'sk-good' })
  const { id } = await beside.rooms.accounts.add({ provider: 'openai' }, new Secret('sk-revoked'))
  expect([(await ask()).status, (await ask()).status]).toEqual([502, 503])
  await beside.rooms.accounts.update(id, {}, new Secret('sk-good'))
  expect((await ask()).status).toBe(200)
  await beside.rooms.accounts.update(id, {}, new Secret('sk-revoked-too'))
  expect((await ask()).status).toBe(502)
})

test('a token that another process revoked is refused at once, however busy gw is', async () => {
  const { beside, ask } = await open()
  await beside.rooms.accounts.add({ provider: 'openai' }, new Secret('sk-added-a-moment-ago'))
  for (let round = 0; round < 10; round++) {
    const { token, info } = await beside.rooms.access.issue({}, operator)
    for (let i = 0; i < 3; i++) expect((await ask(token.reveal())).status).toBe(200)
    await beside.rooms.access.revoke(info.id, operator)
    expect((await ask(token.reveal())).status).toBe(403)
  }
})

test('what another process was told to forget of an account is forgotten at once', async () => {
  const { served, beside, ask } = await open()
  await beside.rooms.accounts.add({ provider: 'openai', id: 'mine' }, new Secret('sk-added-a-moment-ago'))
  served.gateway.rooms.board.lost('openai', 'mine', 'token_revoked')
  expect((await ask()).status).toBe(503)
  await served.gateway.rooms.storage.batch.flush()
  await beside.rooms.board.sync()
  beside.rooms.board.reset('openai:mine' as TargetKey)
  await beside.rooms.storage.batch.flush()
  expect((await ask()).status).toBe(200)
})

test('lists over HTTP show what another process did a moment ago', async () => {
  const { beside, list } = await open()
  for (let count = 1; count <= 5; count++) {
    await beside.rooms.accounts.add({ provider: 'openai', id: `added-${count}` }, new Secret(`sk-added-${count}`))
    expect((await list()).filter((id) => id.startsWith('added-'))).toHaveLength(count)
  }
})

test('a plan and a tick of stay-afloat know the accounts that another process added or took away a moment ago', async () => {
  const { served, beside } = await open()
  const { repair } = served.gateway.rooms
  for (let round = 0; round < 3; round++) {
    const { id } = await beside.rooms.accounts.add({ provider: 'openai', id: `mine-${round}` }, new Secret('sk-new'))
    const planned = await repair.explain({ provider: 'openai' })
    expect(planned.routes.map(({ account }) => account)).toContain(id as string)
    await beside.rooms.accounts.remove(id)
    const { routes } = await repair.tick({ execute: false })
    expect(routes.map(({ route }) => route.account)).not.toContain(id as string)
  }
})

test('a key that the gateway cannot find says what its owner can do', async () => {
  const { beside, ask } = await open()
  await beside.rooms.accounts.add({ provider: 'openai', token_env: 'ONLY_IN_MY_SHELL' })
  const answer = await ask()
  expect(answer.status).toBe(503)
  expect(((await answer.json()) as { error: { message: string } }).error.message).toBe(
    'environment variable ONLY_IN_MY_SHELL is not set (export ONLY_IN_MY_SHELL where gw is started, or keep the secret in gw: gw accounts update ID --secret-stdin)',
  )
})
