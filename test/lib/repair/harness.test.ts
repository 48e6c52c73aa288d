import { afterEach, describe, expect, test } from 'bun:test'
import { noConsent, probeConsent } from '../../../lib/repair/admission.ts'
import { toyInventory, type ToyOptions } from './toy.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

// The deterministic harness: no secret, no network, one command (`bun test test/lib/repair/harness.test.ts`).

let world: World
const open = async (toy: ToyOptions = {}, more: Partial<WorldOptions> = {}) => {
  const inventory = toyInventory(toy)
  return world = await openWorld({ inventory: () => inventory, ...more })
}
afterEach(() => world.close())

const spent = ['sh', '-c', 'if [ "$OMUX_ACTIVE_ACCOUNT" = a1 ]; then echo spent; exit 1; fi']
const toy = { provider: 'toy' }

describe('the toy provider', () => {
  test('an expensive quota sends only itself to the next account', async () => {
    const { repair } = await open({ commands: { expensive: spent } })
    for (const account of ['a1', 'a2']) {
      for (const capability of ['expensive', 'cheap']) {
        await repair.probe({ provider: 'toy', account, capability, consent: probeConsent(true) })
      }
    }
    const selected = async (capability: string) => (await repair.explain({ ...toy, capability })).selected?.health_key
    expect(await selected('expensive')).toBe('toy:a2#expensive')
    expect(await selected('cheap')).toBe('toy:a1#cheap')
  })

  test('a probe gets the route in its environment', async () => {
    const seen = [
      'sh',
      '-c',
      'test "$OMUX_ACTIVE_PROVIDER:$OMUX_ACTIVE_ACCOUNT#$OMUX_ACTIVE_CAPABILITY" = toy:a2#cheap',
    ]
    const { repair } = await open({ commands: { cheap: seen } })
    const report = await repair.probe({ provider: 'toy', account: 'a2', capability: 'cheap', consent: noConsent })
    expect(report).toMatchObject({ ok: true, error: null, exit_code: null, probe_executed: true, probe_status: 200 })
    expect(report.health_key).toBe('toy:a2#cheap')
    expect(report.last_probe).toMatchObject({ source: 'capability_probe', hint_class: 'none', decision: 'use_this' })
  })

  test('a probe that spends is not run without consent, whoever asks', async () => {
    const { repair, ran } = await open()
    const refused = await repair.probe({
      provider: 'toy',
      account: 'a1',
      capability: 'expensive',
      consent: probeConsent(false),
    })
    expect(refused).toMatchObject({ ok: false, error: 'budget_not_allowed', probe_executed: false })
    expect(ran).toEqual([])
  })

  test('evidence survives the process and is seen by others', async () => {
    const first = await open()
    await first.repair.probe({ provider: 'toy', account: 'a1', capability: 'cheap', consent: noConsent })
    await first.storage.batch.flush()
    const second = await first.sibling()
    expect((await second.repair.explain({ ...toy, capability: 'cheap' })).selected?.account).toBe('a1')
    await second.close()
  })

  test('an execute tick runs exactly one probe and names it', async () => {
    const { repair, ran } = await open()
    const report = await repair.tick({ ...toy, execute: true })
    expect(ran.length).toBe(1)
    expect(report.executions).toMatchObject([{
      account: 'a1',
      capability: 'cheap',
      phase: 'probe',
      executed: true,
      ok: true,
      command: 'gw probe --provider toy --account a1 --capability cheap --json',
    }])
    expect(report).toMatchObject({ afloat: true, executed: true, selected: { health_key: 'toy:a1#cheap' } })
  })

  test('a plan tick writes its snapshot and nothing else', async () => {
    const { repair, ran, board } = await open()
    const report = await repair.tick({ ...toy, execute: false })
    expect([report.executed, ran.length, (await repair.events.list()).events.length, board.all().length]).toEqual([
      false,
      0,
      0,
      0,
    ])
    expect((await repair.lastTick())?.observed_at).toBe(report.observed_at)
    expect(report.summary).toMatchObject({
      routes: 4,
      selectable: 0,
      admitted_probes: 2,
      blocked_probes: 2,
      next_tick_reason: 'probe_due',
    })
  })
})

describe('handoffs', () => {
  const broken: ToyOptions = { binary: 'sh', configDir: '~/store' }
  const needsLogin = async () => {
    const made = await open(broken)
    const { mkdir } = await import('node:fs/promises')
    await mkdir(`${made.home}/store`)
    return made
  }
  const scope = { provider: 'toy', account: 'a1', capability: 'cheap' }
  const key = { profile: null, ...scope }

  test('queue once, stay pending through ack, clear, and queue again', async () => {
    const { repair } = await needsLogin()
    const first = await repair.tick({ ...scope, execute: true })
    expect(first).toMatchObject({ handoff_queued: true, handoff_pending: true, executed: false, afloat: false })
    expect(first.executions[0]).toMatchObject({ phase: 'handoff', reason: 'handoff_queued' })
    const second = await repair.tick({ ...scope, execute: true })
    expect(second.executions[0]).toMatchObject({ phase: 'handoff', reason: 'handoff_pending', handoff_queued: false })
    expect((await repair.events.list()).events.map(({ outcome }) => outcome)).toEqual(['handoff_queued'])

    expect(await repair.handoffs.acknowledge(key)).toMatchObject({ reason: 'user_acknowledged', handoff_pending: true })
    expect((await repair.handoffs.list()).length).toBe(1)
    expect(await repair.handoffs.clear(key)).toMatchObject({ reason: 'manual_clear', handoff_resolved: true })
    expect(await repair.handoffs.list()).toEqual([])
    expect((await repair.handoffs.list({ all: true }))[0]).toMatchObject({ pending: false })
    expect(await repair.handoffs.clear(key)).toMatchObject({ reason: 'no_pending_handoff', event_recorded: false })
    expect((await repair.tick({ ...scope, execute: true })).handoff_queued).toBe(true)
  })

  test.each([
    ['its session file is missing', false],
    ['its credential is dead', true],
  ])('one login is one handoff, whatever the account is used for: %s', async (_, dead) => {
    const { repair, board } = dead ? await open() : await needsLogin()
    if (dead) board.lost('toy', 'a1', 'token_revoked')
    const whole = { profile: null, provider: 'toy', account: 'a1', capability: null }
    for (const narrow of [{}, { capability: 'cheap' }, { capability: 'expensive' }]) {
      const report = await repair.tick({ provider: 'toy', account: 'a1', ...narrow, execute: true })
      expect(report.executions.filter(({ phase }) => phase === 'handoff')).toHaveLength(1)
      expect(report.handoff_pending).toBe(true)
    }
    await repair.tick({ profile: 'failover', execute: true })
    expect((await repair.handoffs.list()).filter(({ account }) => account === 'a1')).toMatchObject([whole])
    // Whoever names one of its capabilities means it.
    const named = { ...whole, profile: 'failover', capability: 'cheap' }
    expect(await repair.handoffs.acknowledge(named)).toMatchObject({ ...whole, handoff_acknowledged: true })
    expect(await repair.handoffs.clear(named)).toMatchObject({ ...whole, handoff_resolved: true })
  })

  test('what concerns one capability is a handoff of its own', async () => {
    const { repair, board } = await open()
    const failure = {
      kind: 'forbidden',
      code: 'step_up',
      scope: 'account',
      status: 403,
      message: '',
      mayTryOther: true,
      retryAfterMs: null,
      windows: [],
    } as const
    for (const capability of ['cheap', 'expensive']) {
      board.note(`toy:a1#${capability}` as never, { is: 'failure', source: 'capability_probe', failure, jitterMs: 0 })
    }
    await repair.tick({ provider: 'toy', account: 'a1', execute: true })
    expect((await repair.handoffs.list()).map(({ capability }) => capability)).toEqual(['expensive', 'cheap'])
  })

  test('a route that works again clears its own', async () => {
    const { repair, home } = await needsLogin()
    await repair.tick({ ...scope, execute: true })
    const { writeFile } = await import('node:fs/promises')
    await writeFile(`${home}/store/auth.json`, '{}')
    const report = await repair.tick({ ...scope, execute: true })
    expect(report).toMatchObject({ afloat: true, handoff_pending: false })
    expect(await repair.handoffs.list()).toEqual([])
    expect((await repair.events.list()).events.map(({ outcome }) => outcome)).toContain('route_selectable')
  })

  test('7: one that needs a person does not stop the tick from probing a later route', async () => {
    const { repair, board, ran } = await open()
    board.lost('toy', 'a1', 'token_revoked')
    const report = await repair.tick({ ...toy, capability: 'cheap', execute: true })
    expect(report.executions.map(({ phase, account }) => [phase, account])).toEqual([['handoff', 'a1'], [
      'probe',
      'a2',
    ]])
    expect([ran.length, report.selected?.account]).toEqual([1, 'a2'])
  })
})

describe('repair run', () => {
  const scope = { provider: 'toy', account: 'a1' }
  const broken = async (more: Partial<WorldOptions> = {}) => {
    const made = await open({}, more)
    made.board.note('toy:a1#cheap' as never, { is: 'success', source: 'capability_probe' })
    made.board.lost('toy', 'a1', 'token_revoked')
    return made
  }
  const outcomes = async () => (await world.repair.events.list()).events.map(({ outcome }) => outcome)

  test('a selectable route needs none', async () => {
    const { repair, board } = await open()
    board.note('toy:a2#cheap' as never, { is: 'success', source: 'capability_probe' })
    expect(await repair.run({ ...toy, confirm: false, json: true })).toMatchObject({
      ok: true,
      executed: false,
      confirmation_required: false,
      reason: 'route_selectable',
      selected: { account: 'a2' },
      exit_code: 0,
    })
    expect(await outcomes()).toEqual(['noop'])
  })
  test('nothing that can be mended', async () => {
    const { repair } = await open()
    expect(await repair.run({ ...toy, confirm: true, json: true })).toMatchObject({
      ok: true,
      reason: 'no_admitted_repair',
      exit_code: 0,
    })
    expect(await outcomes()).toEqual(['no_admitted_repair'])
  })
  test('without confirmation nothing runs', async () => {
    const { repair, ran } = await broken()
    expect(await repair.run({ ...scope, confirm: false, json: true })).toMatchObject({
      ok: false,
      executed: false,
      confirmation_required: true,
      requires: '--confirm-repair',
      exit_code: 1,
    })
    expect([ran, await outcomes()]).toEqual([[], ['confirmation_required']])
  })
  test('a login does not mix with --json', async () => {
    const { repair } = await broken()
    expect(await repair.run({ ...scope, confirm: true, json: true, runInteractive: () => Promise.resolve(0) }))
      .toMatchObject({ ok: false, error: 'interactive_json_unsupported', exit_code: 1 })
    expect(await outcomes()).toEqual(['interactive_json_unsupported'])
  })
  test('a confirmed login mends the account, and only what died of it', async () => {
    const { repair, board } = await broken()
    const argvs: (readonly string[])[] = []
    const done = await repair.run({
      ...scope,
      confirm: true,
      json: false,
      runInteractive: (argv) => Promise.resolve(argvs.push(argv)).then(() => 0),
    })
    expect(done).toMatchObject({ ok: true, executed: true, reason: 'command_success', exit_code: 0 })
    expect(argvs).toEqual([['toy', 'login']])
    expect(board.get('toy:a1' as never)!.liveness.state).toBe('live')
    expect(await outcomes()).toEqual(['executed', 'started'])
  })
  test('a failed login leaves the account dead and the lock free', async () => {
    const { repair, board } = await broken()
    const fail = () => repair.run({ ...scope, confirm: true, json: false, runInteractive: () => Promise.resolve(3) })
    expect(await fail()).toMatchObject({ ok: false, executed: true, reason: 'command_failed', exit_code: 1 })
    expect(board.get('toy:a1' as never)!.liveness.state).toBe('dead')
    expect(await fail()).toMatchObject({ executed: true })
  })
  test('one repair of an account at a time, across processes; a dead one is over by itself', async () => {
    const { repair, storage, clock } = await broken()
    await storage.lease('repair:toy:a1', 60_000)
    await storage.write((tx) =>
      tx.insertInto('repair_running').values({
        account: 'toy:a1',
        started_ms: clock.now(),
        until_ms: clock.now() + 60_000,
      }).execute()
    )
    const route = (await repair.explain(scope)).routes[0]!
    expect([route.runtime.state, route.action.kind]).toEqual(['repair_in_progress', 'wait_for_repair'])
    for (const [confirm, error, exit_code] of [[true, 'repair_in_progress', 1], [false, undefined, 0]] as const) {
      const answer = await repair.run({ ...scope, confirm, json: true })
      expect([answer.error, answer.executed, answer.exit_code]).toEqual([error, false, exit_code])
    }
    await storage.write((tx) => tx.deleteFrom('repair_running').execute())
    const run = () => repair.run({ ...scope, confirm: true, json: false, runInteractive: () => Promise.resolve(0) })
    expect(await run()).toMatchObject({ error: 'repair_in_progress', exit_code: 1 })
    await clock.advance(60_001)
    expect(await run()).toMatchObject({ ok: true })
  })
})

test('a thousand ticks add no more than the bounded log', async () => {
  const { repair, board, storage } = await open()
  board.lost('toy', 'a1', 'token_revoked')
  board.lost('toy', 'a2', 'token_revoked')
  const report = await repair.loop({ ...toy, execute: true, iterations: 1_000, intervalMs: 0 })
  expect(report.ticks.length).toBe(100)
  const count = async (table: 'repair_events' | 'repair_handoffs' | 'facts') =>
    (await storage.db.selectFrom(table).select((eb) => eb.fn.countAll<number>().as('n')).executeTakeFirstOrThrow()).n
  expect([await count('repair_events'), await count('repair_handoffs'), await count('facts')]).toEqual([2, 2, 1])
})
