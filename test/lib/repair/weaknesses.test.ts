import { afterEach, describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { GwError, Secret } from '../../../lib/base/mod.ts'
import { noConsent, probeConsent } from '../../../lib/repair/admission.ts'
import { builtinDefinitions } from '../../../lib/repair/definition/builtin.ts'
import { execWith } from '../../../lib/repair/exec.ts'
import { parseEventLines } from '../../../lib/repair/events.ts'
import { createHost } from '../../../lib/repair/host.ts'
import { importConfig, importHealth } from '../../../lib/repair/import.ts'
import { inject, sweep } from '../../../lib/repair/inject.ts'
import { inventorySchema } from '../../../lib/repair/inventory/schema.ts'
import { createInventory, type Inventory } from '../../../lib/repair/inventory/inventory.ts'
import { mergeChanges, starterConfig } from '../../../lib/repair/onboarding.ts'
import { planAction } from '../../../lib/repair/action.ts'
import { quoteAssignment } from '../../../lib/repair/quote.ts'
import { safeCommands } from '../../../lib/repair/reports.ts'
import { writebackFor } from '../../../lib/repair/admission.ts'
import { clock0, toyInventory, type ToyOptions } from './toy.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

// The weaknesses of oauth-mux that must not come back, by number.

const worlds: World[] = []
const open = async (inventory: Inventory, more: Partial<WorldOptions> = {}) => {
  const world = await openWorld({ inventory: () => inventory, ...more })
  worlds.push(world)
  return world
}
afterEach(async () => {
  for (const world of worlds.splice(0).reverse()) await world.close()
})

/** Lets time pass while work goes on: two processes over one database wait for one another's locks. */
async function pump<T>({ clock }: World, work: Promise<T>): Promise<T> {
  let over = false
  const done = work.finally(() => over = true)
  while (!over) {
    await clock.advance(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return await done
}

const jwt = (claims: object) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.x`

/** A provider whose refresh is ours, over a file. */
interface Notes {
  rotated?: boolean
  capability?: boolean
  secret?: object
  timeoutMs?: number
  /** Seconds. */
  threshold?: number
}

function notes(more: Notes = {}): Inventory {
  return createInventory(
    inventorySchema().parse({
      policy: {
        daemon: { allowed_budgets: ['free_local', 'free_command', 'cheap_provider', 'mutating'], allow_mutating: true },
      },
      provider_definitions: {
        notes: {
          name: 'notes',
          auth: { token_endpoint: 'https://notes.test/token', client_id: 'cli' },
          credential: { wrapper_key: 'inner', expires_at_path: 'expires_at' },
          injection: { direct_env: [['NOTES_TOKEN', 'access_token']] },
          repair: {
            owner: 'oauth_mux_refresh',
            refresh_token_response: more.rotated ? 'require_rotated' : 'reuse_submitted_if_omitted',
          },
          capabilities: [{ name: 'read', probe: { url: 'https://notes.test/me', timeout_ms: more.timeoutMs ?? 1000 } }],
          ...(more.threshold === undefined ? {} : { rate_limits: { quota_threshold_seconds: more.threshold } }),
          failure_rules: [{ status: 402, class: { degraded: 'subscription_paused' } }],
        },
      },
      providers: {
        notes: {
          kind: 'notes',
          accounts: { me: { secret: more.secret ?? { backend: 'file', path: '~/token.json' } } },
        },
      },
    }),
  )
}

const document = (access: string, refresh: string, expiresAt: number) =>
  JSON.stringify({
    comment: 'mine',
    inner: { access_token: access, refresh_token: refresh, expires_at: expiresAt, plan: { tier: 9 } },
  })

const scope = { provider: 'notes', account: 'me' }
const answer = (body: object, status = 200) => Response.json(body, { status })
const outcomesOf = async (world: World) => (await world.repair.events.list()).events.map(({ outcome }) => outcome)

/** JSON that goes on for as long as anybody reads. */
const endless = () =>
  new ReadableStream({ pull: (to) => to.enqueue(new TextEncoder().encode(`"${'x'.repeat(65_536)}",`)) })

describe('1: refresh', () => {
  const expired = Math.floor(clock0 / 1000) - 60

  test('one request whoever asks, in this process and in another; unknown members survive', async () => {
    let rotations = 0
    const first = await open(notes(), {
      answer: async () => {
        rotations++
        await new Promise((resolve) => setTimeout(resolve, 20))
        return answer({ access_token: 'new', refresh_token: 'r2', expires_in: 3600 })
      },
    })
    const file = join(first.home, 'token.json')
    await writeFile(file, document('old', 'r1', expired))
    const second = await first.sibling()
    worlds.push(second)
    const done = await pump(
      first,
      Promise.all([first, second, first, second].map((world) => world.repair.refresh(scope))),
    )
    expect(rotations).toBe(1)
    expect(done.flat().filter(({ outcome }) => outcome === 'refreshed').length).toBe(1)
    expect(
      done.flat().every(({ outcome }) =>
        ['refreshed', 'transient_lock', 'concurrent_rotation_detected'].includes(outcome)
      ),
    )
      .toBe(true)
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      comment: 'mine',
      inner: {
        access_token: 'new',
        refresh_token: 'r2',
        expires_at: expect.any(Number),
        plan: { tier: 9 },
      },
    })
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  for (
    const [name, reply, outcome, dead] of [
      ['429', () => answer({}, 429), 'token_endpoint_failed', false],
      ['503 with HTML', () => new Response('<html>', { status: 503 }), 'token_endpoint_failed', false],
      ['invalid_client', () => answer({ error: 'invalid_client' }, 401), 'token_endpoint_failed', false],
      ['silence', () => Promise.reject(new Error('reset')), 'transient_network', false],
      ['no token in a 200', () => answer({ token_type: 'x' }), 'transient_endpoint', false],
      ['an answer that never ends', () => new Response(endless()), 'token_endpoint_failed', false],
      ['invalid_grant', () => answer({ error: 'invalid_grant' }, 400), 'hard_lineage_invalidated', true],
    ] as const
  ) {
    test(`${name} → ${outcome}, dead: ${dead}`, async () => {
      const world = await open(notes(), { answer: reply })
      await writeFile(join(world.home, 'token.json'), document('old', 'r1', expired))
      const [report] = await world.repair.refresh(scope)
      expect(report!.outcome).toBe(outcome)
      expect(world.board.get('notes:me' as never)?.liveness.state ?? 'unknown').toBe(dead ? 'dead' : 'unknown')
      expect(await readFile(join(world.home, 'token.json'), 'utf8')).toBe(document('old', 'r1', expired))
    })
  }

  test('a refused token is not sent again, and a newer one on disk lives', async () => {
    const world = await open(notes(), { answer: () => answer({ error: 'invalid_grant' }, 400) })
    const file = join(world.home, 'token.json')
    await writeFile(file, document('old', 'r1', expired))
    await world.repair.refresh(scope)
    await world.repair.refresh(scope)
    expect(world.sent.length).toBe(1)
    await writeFile(file, document('old', 'r2', expired))
    await world.repair.refresh(scope)
    expect(world.sent.length).toBe(2)
  })

  test('another program that rotates while we ask is adopted, not declared dead', async () => {
    const world: World = await open(notes(), {
      answer: async () => {
        await writeFile(join(world.home, 'token.json'), document('theirs', 'r9', expired + 9_999))
        return answer({ error: 'invalid_grant' }, 400)
      },
    })
    await writeFile(join(world.home, 'token.json'), document('old', 'r1', expired))
    expect((await world.repair.refresh(scope))[0]!.outcome).toBe('concurrent_rotation_detected')
    expect(world.board.get('notes:me' as never)?.liveness.state ?? 'unknown').not.toBe('dead')
  })

  test('a refresh that must rotate is not taken when it did not', async () => {
    const world = await open(notes({ rotated: true }), { answer: () => answer({ access_token: 'new' }) })
    await writeFile(join(world.home, 'token.json'), document('old', 'r1', expired))
    expect((await world.repair.refresh(scope))[0]!.outcome).toBe('credential_build_failed')
  })

  test('a backend that cannot be written asks nobody', async () => {
    const world = await open(notes({ secret: { backend: 'env', variable: 'X' } }))
    expect((await world.repair.refresh(scope))[0]).toMatchObject({
      outcome: 'not_admitted',
      reason: 'secret_backend_is_readonly',
    })
    expect(world.sent).toEqual([])
  })
})

describe('2: evidence on disk', () => {
  for (
    const [name, text] of [
      ['cut in half', '{"version":2,"accounts":[{"key":"a:b"'],
      ['of another version', '{"version":3,"accounts":[]}'],
      ['of another shape', '[]'],
      ['empty', ''],
    ] as const
  ) {
    test(`a health store ${name} is refused with a reason`, async () => {
      const world = await open(toyInventory())
      const done = importHealth(world.repair.context, text)
      expect([done.ok, done.imported, typeof done.reason]).toEqual([false, 0, 'string'])
    })
  }
  test('a whole one is taken in, row by row', async () => {
    const { repair, board } = await open(toyInventory())
    const reset = Math.floor(clock0 / 1000) + 900
    const accounts = [
      { key: 'toy:a1', liveness: { state: 'dead', reason: 'token_revoked' } },
      {
        key: 'toy:a2#expensive',
        liveness: { state: 'live', availability: 'quota_exhausted', window_resets_at: reset },
      },
      { key: 'toy:a2#cheap', successes: 3, liveness: { state: 'live', availability: 'available' } },
      { key: 'no key', liveness: { state: 'live', availability: 'available' } },
      null,
    ]
    expect(importHealth(repair.context, JSON.stringify({ version: 2, accounts }))).toMatchObject({
      ok: true,
      imported: 3,
      skipped: 2,
    })
    expect(board.get('toy:a1' as never)!.liveness.state).toBe('dead')
    expect((await repair.explain({ provider: 'toy' })).selected?.health_key).toBe('toy:a2#cheap')
  })
})

const use = (world: World, more: object = {}) =>
  world.repair.use({
    provider: 'toy',
    consent: noConsent,
    folder: join(world.home, 'run'),
    mayWriteFile: true,
    ...more,
  })

describe('3: one truth', () => {
  const token = { TOY_TOKEN: 'secret-value' }
  const open1 = (toy: ToyOptions = {}) => open(toyInventory({ backend: 'env', ...toy }), { env: token })

  test('exec takes what explain selects, and skips what it skips with the same reason', async () => {
    const world = await open1()
    world.board.lost('toy', 'a1', 'token_revoked')
    world.board.note('toy:a2#cheap' as never, { is: 'success', source: 'capability_probe' })
    const explained = await world.repair.explain({ provider: 'toy', capability: 'cheap' })
    const used = await use(world, { capability: 'cheap' })
    expect(used.selected).toEqual(explained.selected!)
    expect(used.skipped).toEqual([{ key: 'toy:a1#cheap', reason: 'token_revoked' }])
  })

  test('a spent quota without a known reset is not recovered by the clock', async () => {
    const world = await open1({ commands: { cheap: ['sh', '-c', 'echo spent; exit 1'] } })
    await world.repair.probe({ provider: 'toy', account: 'a1', capability: 'cheap', consent: noConsent })
    const route = async () =>
      (await world.repair.explain({ provider: 'toy', account: 'a1', capability: 'cheap' })).routes[0]!
    expect((await route()).liveness).toMatchObject({ availability: 'quota_exhausted', window_resets_at: null })
    await world.clock.advance(90 * 86_400_000)
    expect(await route()).toMatchObject({ selectable: false, action: { kind: 'revalidation_needed' } })
    await expect(use(world, { account: 'a1', capability: 'cheap' })).rejects.toThrow(
      expect.objectContaining({ code: 'route.none', exit: 201 }),
    )
  })

  test('a route never seen may be used: that is how it becomes known', async () => {
    const world = await open1()
    expect((await world.repair.explain({ provider: 'toy', capability: 'cheap' })).selected).toBeNull()
    expect((await use(world, { capability: 'cheap' })).selected.health_key).toBe('toy:a1#cheap')
  })

  test('10: retries are bounded by the strategy', async () => {
    const world = await open1({ accounts: 10, commands: { cheap: ['sh', '-c', 'exit 1'] } })
    const failed = await use(world, { capability: 'cheap', strategy: 'failover' }).catch((error: GwError) => error)
    expect(world.ran.length).toBe(3)
    expect((failed as GwError).details!.skipped).toContainEqual({ key: 'toy:n9#cheap', reason: 'max_retries' })
  })

  test('the program’s name tells the provider; nothing selectable is exit 201', async () => {
    const world = await open1()
    const used = await world.repair.use({
      command: ['/usr/bin/toy'],
      capability: 'cheap',
      consent: noConsent,
      folder: join(world.home, 'run'),
      mayWriteFile: true,
    })
    expect(used.selected.provider).toBe('toy')
  })
})

describe('4: admission on every path', () => {
  test('use, tick and probe spend nothing without consent', async () => {
    const world = await open(toyInventory({ backend: 'env' }), { env: { TOY_TOKEN: 'x' } })
    await use(world, { capability: 'expensive' })
    await world.repair.tick({ provider: 'toy', capability: 'expensive', execute: true })
    await world.repair.probe({ provider: 'toy', account: 'a1', capability: 'expensive', consent: noConsent })
    expect(world.ran).toEqual([])
    await use(world, { capability: 'expensive', consent: probeConsent(true) })
    expect(world.ran.length).toBe(1)
  })
  test('commands that agents are told are safe run no probe and no program', () => {
    for (const line of safeCommands) expect(line).not.toMatch(/\b(probe|env|exec|run|launch|--execute)\b/)
  })
})

describe('5 and 6: causes on this machine', () => {
  const probe = { ...scope, capability: 'read', consent: probeConsent(false) }
  const unchanged = (world: World) => expect(world.board.all()).toEqual([])

  test('a locked keychain', async () => {
    const world = await open(
      notes({ secret: { backend: 'command', command: ['sh', '-c', 'echo locked >&2; exit 1'] } }),
    )
    expect(await world.repair.probe(probe)).toMatchObject({ ok: false, error: 'secret.unavailable', exit_code: 202 })
    unchanged(world)
  })
  test('a sops file is opened with the key that its account names', async () => {
    const seen: (readonly string[])[] = []
    const world = await open(notes({ secret: { backend: 'sops', path: '~/s.json', key_path: '~/age.txt' } }), {
      runProgram: (argv, { env }) => {
        seen.push([...argv, env?.SOPS_AGE_KEY_FILE ?? ''])
        return Promise.resolve({ status: 1, timedOut: false, stdout: '', stderr: '' } as never)
      },
    })
    expect((await world.repair.probe(probe)).exit_code).toBe(202)
    expect(seen).toEqual([['sops', '--decrypt', join(world.home, 's.json'), join(world.home, 'age.txt')]])
    unchanged(world)
  })
  test('a missing program', async () => {
    const world = await open(notes({ secret: { backend: 'command', command: ['no-such-program'] } }))
    expect(await world.repair.probe(probe)).toMatchObject({ ok: false, exit_code: 202 })
    unchanged(world)
  })
  test('no network', async () => {
    const world = await open(notes({ secret: { backend: 'env', variable: 'T' } }), {
      env: { T: 'token' },
      answer: () => Promise.reject(new Error('ENOTFOUND')),
    })
    expect(await world.repair.probe(probe)).toMatchObject({ ok: false, error: 'upstream.unreachable', exit_code: 204 })
    unchanged(world)
  })
  test('a command that says there is no network', async () => {
    const world = await open(
      toyInventory({ commands: { cheap: ['sh', '-c', 'echo could not resolve host >&2; exit 6'] } }),
    )
    expect(await world.repair.probe({ provider: 'toy', account: 'a1', capability: 'cheap', consent: noConsent }))
      .toMatchObject({ ok: false, error: 'upstream.unreachable', exit_code: 204 })
    unchanged(world)
  })
  test('a probe template without its variable is a fault of the configuration', async () => {
    const inventory = createInventory(
      inventorySchema().parse({
        providers: { mcp: { kind: 'mcp', accounts: { wiki: { secret: { backend: 'env', variable: 'T' } } } } },
      }),
    )
    const world = await open(inventory, { env: { T: 'x' } })
    expect(
      await world.repair.probe({
        provider: 'mcp',
        account: 'wiki',
        capability: 'resource',
        consent: probeConsent(false),
      }),
    )
      .toMatchObject({ error: 'config.invalid', exit_code: 200 })
    unchanged(world)
  })
})

describe('8: printed assignments', () => {
  for (
    const [shell, program] of [['bash', 'bash'], ['zsh', 'zsh'], ['ksh', 'ksh'], ['fish', 'fish'], [
      'bash',
      'sh',
    ]] as const
  ) {
    const there = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
    test.skipIf(!there)(`${program} reads back any value as it was`, () => {
      fc.assert(
        fc.property(
          fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => !/[\0\ud800-\udfff]/.test(text)),
          (value) => {
            const script = `${quoteAssignment(shell, 'X', value)}\nprintf %s "$X" | od -An -v -tx1`
            const { stdout } = spawnSync(program, ['-c', script], { encoding: 'utf8' })
            expect(stdout.replace(/\s/g, '')).toBe(Buffer.from(value).toString('hex'))
          },
        ),
        { numRuns: 25, examples: [["it's"], ["'; rm -rf ~; '"], ['\\'], ["\\'"], ['$(id)`id`'], ['a\nb']] },
      )
    })
  }
})

describe('9: what exec writes is private and gone afterwards', () => {
  const account = () => {
    const inventory = createInventory(
      inventorySchema().parse({ providers: { codex: { kind: 'codex', accounts: { a: {} } } } }),
    )
    return inventory.accounts[0]!
  }
  const token = { accessToken: new Secret('tok"en\\'), refreshToken: null, expiresAt: null }
  const made = (folder: string) =>
    inject({ account: account(), capability: null, profile: null, base: {}, version: '1', token, folder })

  test('0700 and 0600, two at once never meet, removed whatever the child does', async () => {
    const { home } = await open(toyInventory())
    const run = join(home, 'run')
    const [one, two] = await Promise.all([made(run), made(run)])
    const folder = one.variables.CODEX_HOME!
    expect(folder).not.toBe(two.variables.CODEX_HOME!)
    expect([(await stat(folder)).mode & 0o777, (await stat(join(folder, 'auth.json'))).mode & 0o777]).toEqual([
      0o700,
      0o600,
    ])
    expect(JSON.parse(await readFile(join(folder, 'auth.json'), 'utf8')).tokens.access_token).toBe('tok"en\\')
    const base = { PATH: process.env.PATH }
    expect(await execWith({ argv: ['sh', '-c', 'test -f "$CODEX_HOME/auth.json" && exit 7'], base, injection: one }))
      .toBe(7)
    expect(await execWith({ argv: ['sh', '-c', 'kill -TERM $$'], base, injection: two })).toBe(143)
    expect(await readdir(run)).toEqual([])
    await expect(execWith({ argv: ['no-such-program'], base, injection: await made(run) })).rejects.toThrow(
      expect.objectContaining({ exit: 1 }),
    )
    expect(await readdir(run)).toEqual([])
  })

  test.each([
    ['{"a":"{{access_token}}","e":{{expires_at}}}', null, '{"a":"t","e":null}'],
    ['{"a":"{{access_token}}","e":{{expires_at}}}', 1_760_000_000_000, '{"a":"t","e":1760000000000}'],
    ['{"a":"\\"","e":"{{expires_at}}"}', null, '{"a":"\\"","e":""}'],
    ['[{ "e": "until {{expires_at}}", "r": "{{refresh_token}}" }]', null, '[{ "e": "until ", "r": "" }]'],
    ['token = {{access_token}}\nend = {{expires_at}}\n', null, 'token = t\nend = \n'],
  ])('an expiry that nobody knows is none, and no time that is past: %s', async (template, expiresAt, written) => {
    const inventory = createInventory(
      inventorySchema().parse({
        providers: { filed: { kind: 'filed', accounts: { a: {} } } },
        provider_definitions: {
          filed: { name: 'filed', injection: { config_dir_env: 'FILED_HOME', credential_template: template } },
        },
      }),
    )
    const { home } = await open(inventory)
    const injected = await inject({
      account: inventory.accounts[0]!,
      capability: null,
      profile: null,
      base: {},
      version: '1',
      token: { accessToken: new Secret('t'), refreshToken: null, expiresAt },
      folder: join(home, 'run'),
    })
    const { credential_filename: name } = inventory.accounts[0]!.definition.injection
    expect(await readFile(join(injected.variables.FILED_HOME!, name), 'utf8')).toBe(written)
    await injected.dispose()
  })

  test('what a killed process left is swept by the next', async () => {
    const { home } = await open(toyInventory())
    const dead = spawnSync('sh', ['-c', 'echo $$'], { encoding: 'utf8' }).stdout.trim()
    await mkdir(join(home, 'run', `exec-${dead}-0000`), { recursive: true })
    await mkdir(join(home, 'run', `exec-${process.pid}-0000`))
    await sweep(join(home, 'run'))
    expect(await readdir(join(home, 'run'))).toEqual([`exec-${process.pid}-0000`])
  })

  test('env, which could not remove it, makes no file', async () => {
    const inventory = createInventory(
      inventorySchema().parse({
        providers: { codex: { kind: 'codex', accounts: { a: { secret: { backend: 'env', variable: 'T' } } } } },
        provider_definitions: {
          codex: { name: 'codex', injection: { config_dir_env: 'CODEX_HOME', credential_template: '{}' } },
        },
      }),
    )
    const world = await open(inventory, { env: { T: 'x' } })
    const failed = await use(world, { provider: 'codex', mayWriteFile: false }).catch((error: GwError) => error)
    expect((failed as GwError).details!.skipped).toEqual([{ key: 'codex:a', reason: 'needs_config_dir' }])
  })
})

test('11: a probe over HTTP ends at its deadline', async () => {
  const world = await open(notes({ secret: { backend: 'env', variable: 'T' }, timeoutMs: 50 }), {
    env: { T: 'x' },
    answer: (_url, init) =>
      new Promise((_, reject) => init.signal!.addEventListener('abort', () => reject(init.signal!.reason))),
  })
  const probing = world.repair.probe({ ...scope, capability: 'read', consent: probeConsent(false) })
  for (let i = 0; i < 50 && world.sent.length === 0; i++) await new Promise((resolve) => setTimeout(resolve, 5))
  await world.clock.advance(50)
  expect(await probing).toMatchObject({ ok: false, error: 'upstream.timeout', exit_code: 204 })
})

test.each([
  [undefined, 3_601, 'quota_exhausted:reset@'],
  [7_200, 7_200, 'rate_limited:per_day:7200s'],
  [7_200, 7_201, 'quota_exhausted:reset@'],
  [10, 11, 'quota_exhausted:reset@'],
  [10, 10, 'rate_limited:per_minute:10s'],
])(
  'a definition says from how long a wait is a spent quota: %s s, a wait of %d s',
  async (threshold, wait, summary) => {
    const given = { secret: { backend: 'env', variable: 'T' }, ...(threshold === undefined ? {} : { threshold }) }
    const world = await open(notes(given), {
      env: { T: 'x' },
      answer: () => new Response('', { status: 429, headers: { 'retry-after': String(wait) } }),
    })
    const probed = await world.repair.probe({ ...scope, capability: 'read', consent: probeConsent(false) })
    expect(probed.liveness?.summary).toStartWith(summary)
  },
)

test('13: every provider with a login of its own has a command for it', () => {
  for (const [kind, definition] of builtinDefinitions()) {
    if (definition.repair.owner !== 'upstream_cli_login') continue
    const inventory = createInventory(inventorySchema().parse({ providers: { [kind]: { kind, accounts: { a: {} } } } }))
    const action = planAction({
      route: { account: inventory.accounts[0]!, capability: null, probe: null },
      runtime: { state: 'needs_reauth', methods: [], reason: 'session_file_missing' },
      evidence: null,
      writeback: writebackFor('upstream_cli_login', null),
      now: clock0,
      spent: false,
      left: null,
    })
    expect([kind, action.kind, action.command?.startsWith('gw ')]).toEqual([kind, 'reauth', true])
  }
})

describe('14: identities', () => {
  test('two accounts that are one person are no spare for each other; a JWT’s own end counts', async () => {
    const person = (exp: number) => jwt({ sub: 'same', iss: 'x', exp })
    const soon = Math.floor(clock0 / 1000)
    const inventory = createInventory(
      inventorySchema().parse({
        provider_definitions: { toy: { name: 'toy', injection: { direct_env: [['T', 'access_token']] } } },
        providers: {
          toy: {
            kind: 'toy',
            accounts: Object.fromEntries(
              ['a', 'b', 'c'].map((name) => [name, { secret: { backend: 'env', variable: name.toUpperCase() } }]),
            ),
          },
        },
      }),
    )
    const world = await open(inventory, { env: { A: person(soon + 900), B: person(soon + 999), C: person(soon - 1) } })
    const check = (account: string) => world.repair.probe({ provider: 'toy', account, consent: noConsent })
    expect([(await check('a')).ok, (await check('b')).ok]).toEqual([true, true])
    expect(await check('c')).toMatchObject({ ok: false, error: 'credential.expired', exit_code: 203 })
    const { resilience } = await world.repair.next({ provider: 'toy' }, ['true'])
    expect(resilience).toEqual({ selectable: 2, spare_fallback_ready: false, single_route_at_risk: true })
  })
})

test('16: a merge touches the provider’s accounts and profiles, nothing else, and only once', () => {
  const mine = inventorySchema().parse({
    policy: { daemon: { allow_mutating: true } },
    providers: {
      github: { kind: 'github', accounts: { me: {} } },
      codex: { kind: 'codex', accounts: { 'max-1': {} } },
    },
  })
  const candidate = createInventory(inventorySchema().parse(starterConfig({ HOME: '/h' }, true)))
  const changes = mergeChanges(createInventory(mine), candidate)
  expect(changes.map(({ path }) => path.slice(1, 3).join('.'))).toEqual([
    'providers.codex',
    'providers.codex',
    'profiles.codex-max',
    'profiles.codex-mini',
  ])
  expect(mergeChanges(candidate, candidate)).toEqual([])
})

describe('17: events', () => {
  test('torn and foreign lines are counted, whole ones taken', () => {
    const line = JSON.stringify({ ts: 5, kind: 'repair_run', outcome: 'noop', ok: true, secret: 'x' })
    const { events, skipped } = parseEventLines(`${line}\n{"ts":6,"kind":"rep\n\n[1]\n{"ts":"x"}\n${line}`)
    expect([events.length, skipped]).toEqual([2, 3])
    expect(Object.keys(events[0]!)).not.toContain('secret')
  })
  test('the log keeps its bound', async () => {
    const { repair, storage } = await open(toyInventory())
    const line = JSON.stringify({ ts: 5, kind: 'repair_run', outcome: 'noop', ok: true })
    for (let i = 0; i < 3; i++) await repair.events.import(`${line}\n`.repeat(3_000))
    const { n } = await storage.db.selectFrom('repair_events').select((eb) => eb.fn.countAll<number>().as('n'))
      .executeTakeFirstOrThrow()
    expect(n).toBeLessThanOrEqual(5_064)
  })
})

describe('19: hosted', () => {
  const settings = () => ({ enabled: true, execute: true, intervalMs: 60_000, refreshAheadMs: 600_000 })

  test('one step a look, in one process at a time', async () => {
    const world = await open(toyInventory())
    const sibling = await world.sibling()
    worlds.push(sibling)
    const lease = await sibling.storage.lease('repair.tick', 60_000)
    const host = createHost(world.repair.context, settings, () => 0.5)
    expect(await host.step()).toBeNull()
    await lease!.release()
    expect(await host.step()).toEqual({ did: 'probe', account: 'toy:a2' })
    expect(world.ran.length).toBe(1)
  })
  test('a quota whose window passed is looked at again although other routes carry on', async () => {
    const world = await open(toyInventory())
    world.board.note('toy:a1#cheap' as never, { is: 'success', source: 'capability_probe' })
    world.board.note('toy:a2#cheap' as never, {
      is: 'failure',
      source: 'capability_probe',
      jitterMs: 0,
      failure: {
        kind: 'quota_exhausted',
        scope: 'account',
        status: 429,
        message: '',
        code: null,
        mayTryOther: true,
        retryAfterMs: 1_000,
        windows: [],
      },
    })
    const host = createHost(world.repair.context, settings, () => 0.5)
    expect(await host.step()).toEqual({ did: 'nothing', account: null })
    await world.clock.advance(2_000)
    expect(await host.step()).toEqual({ did: 'probe', account: 'toy:a2' })
    expect((await world.repair.explain({ provider: 'toy', account: 'a2', capability: 'cheap' })).ok).toBe(true)
  })
  test('a credential that ends soon is renewed ahead, where the policy lets background work do so', async () => {
    const world = await open(notes(), {
      answer: (url) => url.endsWith('/token') ? answer({ access_token: 'new', expires_in: 9_999 }) : answer({}),
    })
    const end = Math.floor(clock0 / 1000) + 300
    await writeFile(join(world.home, 'token.json'), document('old', 'r1', end))
    await world.repair.probe({ ...scope, consent: noConsent })
    const host = createHost(world.repair.context, settings, () => 0.5)
    expect(await host.step()).toEqual({ did: 'refresh', account: 'notes:me' })
    expect(await outcomesOf(world)).toEqual(['refreshed'])
  })
})

test('explaining never writes, never probes, never connects', async () => {
  const world = await open(toyInventory({ binary: 'sh', configDir: '~/store' }))
  await mkdir(join(world.home, 'store'))
  world.board.lost('toy', 'a1', 'token_revoked')
  await world.storage.batch.flush()
  const picture = async () => {
    const names = (await readdir(world.home, { recursive: true })).filter((name) => !name.endsWith('-shm')).sort()
    const parts = await Promise.all(names.map(async (name) => {
      const path = join(world.home, name)
      const info = await stat(path)
      return [name, info.mtimeMs, info.isFile() ? createHash('sha256').update(await readFile(path)).digest('hex') : '']
    }))
    return JSON.stringify(parts)
  }
  const before = await picture()
  for (const action of ['explain', 'select', 'repair-plan'] as const) await world.repair.explain({}, action)
  await world.repair.next({}, ['true'])
  await world.storage.batch.flush()
  expect(await picture()).toBe(before)
  expect([world.ran, world.sent]).toEqual([[], []])
})

test('no answer, event or stored row of any step holds a token', async () => {
  const canary = 'canary-7f3a-token'
  const world = await open(notes({ secret: { backend: 'env', variable: 'T' } }), {
    env: { T: canary },
    answer: (_url, init) => new Response(`echo ${new Headers(init.headers).get('authorization')}`, { status: 403 }),
  })
  const seen = [
    await world.repair.probe({ ...scope, capability: 'read', consent: probeConsent(false) }),
    await world.repair.tick({ provider: 'notes', execute: true }),
    await world.repair.explain({}),
    await world.repair.run({ provider: 'notes', confirm: true, json: true }),
    await world.repair.events.list(),
  ]
  await world.storage.batch.flush()
  expect(world.sent.length).toBe(1)
  expect(JSON.stringify(seen)).not.toContain(canary)
  for (const name of await readdir(world.home)) {
    expect((await readFile(join(world.home, name))).includes(canary)).toBe(false)
  }
})

test('an imported configuration brings what was written, and names what it leaves out', () => {
  const text = JSON.stringify({
    version: 1,
    colour: 'blue',
    providers: { github: { kind: 'github', accounts: { me: { secret: { backend: 'env', variable: 'GH_TOKEN' } } } } },
    policy: { daemon: { allow_mutating: true } },
  })
  expect(importConfig(text)).toEqual({
    ok: true,
    ignored: ['colour'],
    changes: [
      { path: ['stay_afloat', 'policy', 'daemon'], value: { allow_mutating: true } },
      {
        path: ['stay_afloat', 'providers', 'github'],
        value: { kind: 'github', accounts: { me: { secret: { backend: 'env', variable: 'GH_TOKEN' } } } },
      },
    ],
  })
})
