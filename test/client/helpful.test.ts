import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { startGateway } from '../support/gateway.ts'
import { cli } from './support.ts'

const folder = mkdtempSync(join(tmpdir(), 'gw-helpful-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (more: object = {}) => ({ env: { HOME: folder, GW_HOME: folder }, cwd: folder, ...more })

for (
  const [typed, helps] of [
    ['quto', 'Did you mean one of auth, quota?'],
    ['handoffs', 'Did you mean gw stay-afloat handoffs?'],
    ['login', 'Did you mean gw auth login, gw codex login or gw mcp login?'],
    ['nothing-like-it', 'gw --help lists the commands'],
    ['system rotate', 'Did you mean rotate-key?'],
    ['import nonsense', 'gw import --help lists the commands'],
    ['mcp servres', 'Did you mean servers?'],
    ['mcp nonsense', 'gw mcp --help lists the commands'],
    ['stay-afloat handofs', 'Did you mean handoff?'],
    ['help nonsense', 'gw --help lists the commands'],
    ['help config gte', 'Did you mean get?'],
    ['nonsense --help', 'gw --help lists the commands'],
    ['accounts nonsense --help', 'gw accounts --help lists the commands'],
  ] as const
) {
  test(`gw ${typed} is no command: exit 2, no page, and "${helps}"`, async () => {
    const { code, stdout, stderr } = await cli(typed.split(' '), at())
    const word = typed.split(' ').filter((one) => one !== 'help' && !one.startsWith('-')).at(-1)
    expect([code, stdout, stderr]).toEqual([2, '', `gw: unknown command '${word}'\n  ${helps}\n`])
  })
}

test('gw help goes as deep as there are words, and shows what --help shows', async () => {
  for (const words of [['config', 'set'], ['daemon'], ['stay-afloat', 'handoff', 'ack'], []]) {
    const [asked, flagged] = [await cli(['help', ...words], at()), await cli([...words, '--help'], at())]
    expect([asked.code, asked.stdout]).toEqual([0, flagged.stdout])
  }
  expect((await cli(['--help'], at())).stdout).toContain('daemon')
  expect((await cli(['daemon', '--help'], at())).stdout).toMatch(/start .*\n.*stop .*\n.*status /)
})

for (
  const [argv, says] of [
    [['tokens', 'issue', '--max-budget', 'abc'], /^gw: --max-budget: expected number/],
    [['tokens', 'issue', '--scopes', 'nope'], /^gw: --scopes: expected one of "read"/],
    [['tokens', 'issue', '--duration', '3x'], /^gw: --duration: 3x is no time such as 12h or 7d/],
    [
      ['usage', 'summary', '--from', 'yesterday'],
      /^gw: --from: yesterday is no moment\n {2}7d \(so long ago\), 2026-11-01/,
    ],
    [['usage', 'requests', '--to', '2026-11-01T12:00'], /^gw: --to: .* is no moment/],
    [['--url', 'ftp://gateway', 'status'], /--url ftp:\/\/gateway is no http URL/],
  ] as [string[], RegExp][]
) {
  test(`gw ${argv.join(' ')} is refused in the words that were typed`, async () => {
    const { code, stderr } = await cli(argv, at())
    expect(code).toBe(2)
    expect(stderr).toMatch(says)
  })
}

test('a span of usage is named as people name it', async () => {
  const spanOf = async (...flags: string[]) => {
    const { from, to } = JSON.parse((await cli(['--json', 'usage', 'summary', ...flags], at())).stdout)
    return [from, to] as [number, number]
  }
  const exact = ['--from', '2026-11-01', '--to', '2026-11-02T01:30:00+01:00'] as const
  expect(await spanOf(...exact)).toEqual([Date.UTC(2026, 10, 1), Date.UTC(2026, 10, 2, 0, 30)])
  expect(await spanOf('--from', '1000', '--to', '2000')).toEqual([1_000, 2_000])
  const [from, to] = await spanOf('--from', '7d')
  expect(Math.abs(to - from - 7 * 86_400_000)).toBeLessThan(60_000)
})

test('a provider that is not there is refused before its key is asked for', async () => {
  const askSecret = () => Promise.reject(new Error('the key was asked for'))
  for (const argv of [['accounts', 'add', 'openia'], ['auth', 'add-api-key', 'openia']]) {
    const { code, stderr } = await cli(argv, at({ askSecret }))
    expect([code, stderr]).toEqual([
      1,
      'gw: no provider openia\n  did you mean openai? gw providers list shows all\n',
    ])
  }
})

test('an account whose variable is not set is added, and it is said', async () => {
  const added = await cli(['accounts', 'add', 'groq', '--from', 'env:NOT_SET_HERE'], at())
  expect([added.code, added.stderr]).toEqual([
    0,
    'gw: NOT_SET_HERE is not set here: set it where the gateway runs, then gw accounts check groq\n',
  ])
})

test('a talk goes on after a question that failed, as if it had not been asked', async () => {
  const seen: string[][] = []
  const upstream = await fakeUpstream(async (exchange) => {
    const { messages } = exchange.request.json() as { messages: { content: string }[] }
    seen.push(messages.map(({ content }) => content))
    if (messages.at(-1)!.content === 'bad') {
      return await exchange.json({ error: { message: 'not that' } }, { status: 400 })
    }
    const delta = { choices: [{ index: 0, delta: { content: 'fine' }, finish_reason: 'stop' }] }
    await exchange.sse()
    await exchange.event(delta)
    await exchange.event('[DONE]')
    await exchange.end()
  })
  const settings = {
    'egress.allow_origins': [upstream.url],
    'accounts.one': { provider: 'groq', base_url: `${upstream.url}/v1`, token_env: 'PLANTED_KEY' },
  }
  const gateway = await startGateway({ settings })
  try {
    const env = { HOME: folder, GW_URL: gateway.url, GW_TOKEN: gateway.token }
    const talk = await cli(['chat', '-m', 'groq:one/m'], { env, lines: ['bad', 'good', '/exit'] })
    expect([talk.code, talk.stdout]).toEqual([0, 'fine\n'])
    expect(talk.stderr).toContain('not that')
    expect(seen.at(-1)).toEqual(['good'])
    const piped = await cli(['chat', '-m', 'groq:one/m', 'Sum up:', '-'], { env, input: 'the notes' })
    expect([piped.code, seen.at(-1)]).toEqual([0, ['Sum up: the notes']])
    expect(await cli(['chat', '-m', 'groq:one/m'], { env, input: '\n' })).toMatchObject({ code: 2 })
    expect((await cli(['chat', 'hello'], { env })).stderr).toContain('gw models set-default MODEL')
  } finally {
    await gateway.close()
    await upstream.close()
  }
})

test('gw doctor says how much room the disk has, and of a home that is not there yet, too', async () => {
  for (const home of [folder, join(folder, 'not', 'there', 'yet')]) {
    const { stdout } = await cli(['--json', 'doctor'], { env: { HOME: folder, GW_HOME: home }, cwd: folder })
    const { checks } = JSON.parse(stdout) as { checks: { name: string; found: string }[] }
    expect(checks.find(({ name }) => name === 'disk')?.found).toMatch(/\d+ (?:KB|MB)/)
  }
})
