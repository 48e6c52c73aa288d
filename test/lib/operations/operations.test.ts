import { afterAll, beforeAll, expect, test } from 'bun:test'
import { operator, type Principal } from '../../../lib/access/mod.ts'
import { errorCodes, GwError, type GwError as Failure } from '../../../lib/base/mod.ts'
import { approvalGate, callOperation, describeOperations, toTrpc } from '../../../lib/operations/mod.ts'
import { fromTrpc } from '../../../lib/operations/errors.ts'
import { judge } from '../../../lib/operations/gate.ts'
import { loadArea } from '../../../lib/operations/areas.ts'
import { operations } from '../../../lib/operations/router.ts'
import { openHome, type TestHome } from '../../surfaces/home.ts'

let home: TestHome
beforeAll(async () => {
  home = await openHome()
})
afterAll(() => home.close())

const only = (...scopes: Principal['scopes'] extends ReadonlySet<infer S> ? S[] : never): Principal => ({
  ...operator,
  kind: 'client',
  id: 'tok_test' as Principal['id'],
  scopes: new Set(scopes),
})

async function failure(work: Promise<unknown>): Promise<Failure> {
  try {
    await work
  } catch (error) {
    return error as Failure
  }
  throw new Error('expected the operation to fail')
}

test('every operation has a summary, a scope, one effect and schemas that are plain JSON', () => {
  const all = describeOperations(operations)
  expect(all.length).toBeGreaterThan(20)
  for (const operation of all) {
    expect([operation.name, operation.summary.length > 10, /[^.]$/.test(operation.summary)]).toEqual([
      operation.name,
      true,
      true,
    ])
    expect(operation.name).toMatch(/^[a-z]+\.[a-zA-Z]+$/)
    expect([operation.name, operation.input.type]).toEqual([operation.name, 'object'])
    // A query changes nothing and a change is no query: the surfaces rely on it.
    expect([operation.name, operation.effect === 'reads']).toEqual([operation.name, operation.kind !== 'mutation'])
  }
})

test('names are short enough to be tool names and none of them meets another there', () => {
  const tools = describeOperations(operations).map(({ name }) => name.replaceAll('.', '_'))
  expect(new Set(tools).size).toBe(tools.length)
  for (const tool of tools) expect(tool).toMatch(/^[A-Za-z0-9_-]{1,64}$/)
})

test('every error code goes through tRPC and comes back as it was', () => {
  for (const code of Object.keys(errorCodes) as (keyof typeof errorCodes)[]) {
    const error = new GwError(code, 'what was done', { hint: 'do this' })
    expect(fromTrpc(toTrpc(error))).toBe(error)
    if (error.status !== 500) expect([code, toTrpc(error).code]).not.toEqual([code, 'INTERNAL_SERVER_ERROR'])
  }
})

test('a caller without the scope is refused before its input is looked at', async () => {
  const context = home.context({ principal: only('read') })
  const error = await failure(callOperation('tokens.issue', { nonsense: true }, context))
  expect(error.code).toBe('access.scope')
  expect(error.message).toContain("required scope 'tokens'")
})

test('an input that does not fit names every field, and the first as param', async () => {
  const error = await failure(callOperation('tokens.issue', { ttl_hours: 'x', lable: 1 }, home.context()))
  expect(error.code).toBe('request.invalid')
  expect(error.param).toBe('ttl_hours')
  expect(error.message).toBe('ttl_hours: expected number, received string; lable: unknown field')
})

test('an operation that does not exist is told apart, with the nearest name', async () => {
  const error = await failure(callOperation('tokens.isue', {}, home.context()))
  expect(error.code).toBe('request.not_found')
  expect(error.hint).toBe('did you mean tokens.issue?')
  expect((await failure(callOperation('__proto__.toString', {}, home.context()))).code).toBe('request.not_found')
})

test('tokens are issued, listed, shown and revoked in the shapes of the wire contract', async () => {
  const issued = await callOperation('tokens.issue', { label: 'laptop', ttl_hours: 2 }, home.context()) as {
    id: string
    token: string
    ttl_hours: number
    account: null
  }
  expect(issued).toMatchObject({ label: 'laptop', ttl_hours: 2, account: null })
  expect(issued.token).toStartWith('la_sk_')
  const list = await callOperation('tokens.list', {}, home.context()) as { data: { id: string; revoked: boolean }[] }
  expect(list.data.find((token) => token.id === issued.id)).toMatchObject({ revoked: false })
  expect(JSON.stringify(list)).not.toContain(issued.token)
  expect(await callOperation('tokens.revoke', { id: issued.id }, home.context())).toEqual({
    revoked: issued.id,
    ended: [issued.id],
  })
  expect(await callOperation('tokens.revoke', { id: issued.id }, home.context())).toEqual({
    revoked: issued.id,
    ended: [],
  })
  expect(await callOperation('tokens.show', { id: issued.id }, home.context())).toMatchObject({ revoked: true })
})

test('accounts are added with their secret in the store, changed and removed, and no answer shows the secret', async () => {
  const answers: unknown[] = []
  const run = async (name: string, input: unknown) => {
    const answer = await callOperation(name, input, home.context())
    answers.push(answer)
    return answer
  }
  expect(await run('accounts.add', { provider: 'alpha', id: 'work', secret: 'sk-canary-0123456789' })).toMatchObject({
    id: 'work',
    source: 'store:account/work',
    origin: 'store',
  })
  expect(await run('accounts.check', { id: 'work' })).toMatchObject({ ok: true, kind: 'api-key' })
  expect(await run('accounts.update', { id: 'work', from: 'env:MISSING', priority: 3 })).toMatchObject({
    source: 'env:MISSING',
    priority: 3,
  })
  expect(await run('accounts.check', { id: 'work' })).toMatchObject({ ok: false })
  expect(await run('accounts.disable', { id: 'work' })).toMatchObject({ enabled: false })
  expect(await run('accounts.remove', { id: 'work' })).toEqual({ removed: 'work' })
  expect((await failure(run('accounts.show', { id: 'work' }))).code).toBe('account.not_found')
  expect((await failure(run('accounts.add', { provider: 'nowhere', from: 'env:X' }))).code).toBe('provider.not_found')
  expect((await failure(run('accounts.add', { provider: 'alpha', from: 'shell:rm' }))).param).toBe('from')
  answers.push(await callOperation('audit.list', {}, home.context()))
  expect(JSON.stringify(answers)).not.toContain('sk-canary')
})

test('each change leaves a record: who, what, before and after, without secrets', async () => {
  await callOperation('accounts.add', { provider: 'beta', id: 'one', secret: 'sk-canary-abcdefgh' }, home.context())
  await callOperation('accounts.update', { id: 'one', priority: 7 }, home.context())
  const { data: records } = await callOperation('audit.list', { limit: 2 }, home.context()) as {
    data: { operation: string; before: unknown; after: unknown; state: string; input: unknown }[]
  }
  expect(records[0]).toMatchObject({
    principal: 'operator',
    surface: 'cli',
    operation: 'accounts.update',
    state: 'done',
    before: { id: 'one', priority: 0 },
    after: { id: 'one', priority: 7 },
  })
  expect(records[1]).toMatchObject({ operation: 'accounts.add', before: null, input: { secret: '[secret]' } })
})

test('a failed change is recorded as failed, and one whose record cannot be written does not happen', async () => {
  expect((await failure(callOperation('accounts.remove', { id: 'nobody' }, home.context()))).code).toBe(
    'account.not_found',
  )
  const { data: records } = await callOperation('audit.list', { limit: 1 }, home.context()) as { data: unknown[] }
  expect(records[0]).toMatchObject({ operation: 'accounts.remove', state: 'failed', error: 'account.not_found' })
  const broken = {
    ...home.context(),
    audit: {
      begin: () => Promise.reject(new GwError('audit.failed', 'disk is full')),
      list: () => Promise.resolve([]),
    },
  }
  expect((await failure(callOperation('accounts.add', { provider: 'beta', id: 'never' }, broken))).code).toBe(
    'audit.failed',
  )
  expect((await failure(callOperation('accounts.show', { id: 'never' }, home.context()))).code).toBe(
    'account.not_found',
  )
})

test('config.set changes the file and the configuration in force, config.show says where a value comes from', async () => {
  await callOperation('config.set', { key: 'log.level', value: 'warn' }, home.context())
  expect(home.rooms.config.current().config.log.level).toBe('warn')
  const shown = await callOperation('config.show', {}, home.context()) as { data: { key: string; from: string }[] }
  expect(shown.data.find(({ key }) => key === 'log.level')?.from).toEndWith('config.toml:2')
  expect((await failure(callOperation('config.set', { key: 'log.level', value: 'loud' }, home.context()))).code).toBe(
    'config.rejected',
  )
  expect(home.rooms.config.current().config.log.level).toBe('warn')
})

test('config.show and config.set never show a secret of the config', async () => {
  const secret = 'a-signing-secret-that-is-long-enough-0123456789'
  const set = await callOperation('config.set', { key: 'access.token_secret', value: secret }, home.context())
  const shown = await callOperation('config.show', { all: true }, home.context())
  const log = await callOperation('audit.list', {}, home.context())
  expect(JSON.stringify(shown)).toContain('[REDACTED]')
  expect(JSON.stringify([set, shown, log])).not.toContain(secret)
  await callOperation('config.unset', { key: 'access.token_secret' }, home.context())
})

const policy = { ask: ['accounts.*'], deny: ['config.set'], ask_destructive: true, approval_secs: 60 }

for (
  const [operation, destructive, verdict] of [
    ['accounts.add', false, 'ask'],
    ['config.set', false, 'deny'],
    ['tokens.revoke', true, 'ask'],
    ['tokens.issue', false, 'allow'],
  ] as const
) {
  test(`judge(${operation}) is ${verdict}`, () => expect(judge(policy, { operation, destructive })).toBe(verdict))
}

test('what the policy marks ask runs once after somebody approved that exact call', async () => {
  const agent = { ...only('admin'), id: 'agent' as Principal['id'] }
  const gate = approvalGate({ policy, approvals: home.rooms.approvals, principal: agent })
  const call = (id: string) =>
    callOperation('accounts.add', { provider: 'beta', id }, home.context({ principal: agent, surface: 'mcp', gate }))
  const asked = await failure(call('asked'))
  expect(asked.code).toBe('access.approval_required')
  const id = asked.details!.approval as string
  expect((await failure(callOperation('approvals.approve', { id }, home.context({ principal: agent })))).code).toBe(
    'access.denied',
  )
  await callOperation('approvals.approve', { id }, home.context())
  expect((await failure(call('another'))).code).toBe('access.approval_required')
  expect(await call('asked')).toMatchObject({ id: 'asked' })
  await callOperation('accounts.remove', { id: 'asked' }, home.context())
  expect((await failure(call('asked'))).code).toBe('access.approval_required')
})

test('route.why and liveness.quota answer over the rooms', async () => {
  const home = await openHome()
  try {
    const quota = await callOperation('liveness.quota', {}, home.context()) as { data: unknown[] }
    expect(quota.data).toEqual([])
    const { board } = home.home
    board.note('alpha:one' as Parameters<typeof board.note>[0], {
      is: 'windows',
      source: 'serving',
      windows: [{
        id: '5h',
        lengthMs: 18_000_000,
        used: 0.4,
        limit: null,
        remaining: null,
        resetsAt: Date.now() + 60_000,
        status: 'allowed',
        model: null,
      }],
    })
    const after = await callOperation('liveness.quota', { account: 'one' }, home.context())
    expect(after).toMatchObject({ data: [{ account: 'one', window: '5h', used: 0.4, passed: false }] })
    const error = await failure(callOperation('route.why', { request: 'req_nobody' }, home.context()))
    expect(error.code).toBe('request.not_found')
  } finally {
    await home.close()
  }
})

test('one area by itself is the area of the whole list', async () => {
  const areas = new Set(describeOperations(operations).map(({ name }) => name.split('.')[0]!))
  for (const area of areas) {
    const alone = await loadArea(area)
    expect(alone && describeOperations(alone).map(({ name }) => `${area}.${name}`)).toEqual(
      describeOperations(operations).map(({ name }) => name).filter((name) => name.startsWith(`${area}.`)),
    )
  }
  expect(await loadArea('constructor')).toBeNull()
})

test('who waits for a login fills no record with asking; how it ended stands there', async () => {
  const call = (name: string, input: object) => callOperation(name, input, home.context())
  const { session } = await call('auth.begin', { vendor: 'claude', method: 'paste' }) as { session: string }
  const polls = async () => {
    const { data } = await call('audit.list', { limit: 50 }) as { data: { operation: string }[] }
    return data.filter(({ operation }) => operation === 'auth.poll').length
  }
  const before = await polls()
  for (let i = 0; i < 3; i++) expect(await call('auth.poll', { session })).toMatchObject({ state: 'pending' })
  expect(await polls()).toBe(before)
  await call('auth.cancel', { session })
  expect(await call('auth.poll', { session })).toMatchObject({ state: 'failed' })
  expect(await polls()).toBe(before + 1)
})
