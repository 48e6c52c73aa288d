import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeOperations } from '../../lib/operations/mod.ts'
import { operations } from '../../lib/operations/router.ts'
import { runCommand } from '../../lib/platform/mod.ts'
import { cli, type CliSetup } from './support.ts'

let root: string
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'gw-cli-'))
})
afterAll(() => rmSync(root, { recursive: true, force: true }))

const at = (setup: CliSetup = {}): CliSetup => ({ ...setup, env: { GW_HOME: root, ...setup.env } })

for (
  const [argv, said] of [
    [['tokns'], "gw: unknown command 'tokns'\n  Did you mean tokens?"],
    [['tokens', 'isue'], 'Did you mean issue?'],
    [['tokens', 'list', '--limti', '3'], 'Did you mean --limit?'],
    [['usage', 'sumary'], "unknown command 'sumary'\n  Did you mean summary?"],
    [['tokens', 'show'], "missing required argument 'id'"],
    [['tokens', 'list', 'extra'], 'too many arguments'],
    [['--sevrer-port', '1', 'version'], 'Did you mean --server-port?'],
  ] as const
) {
  test(`gw ${argv.join(' ')} is not understood: exit 2 and a suggestion`, async () => {
    const { code, stderr, stdout } = await cli(argv, at())
    expect(code).toBe(2)
    expect(stderr).toContain(said)
    expect(stdout).toBe('')
  })
}

test('a key typed by mistake is not repeated', async () => {
  const { code, stderr } = await cli(['accounts', 'add', 'openai', 'sk-typed-by-mistake-123456'], at())
  expect(code).toBe(2)
  expect(stderr).toContain('too many arguments')
  expect(stderr).not.toContain('mistake')
})

for (
  const [what, argv, code] of [
    ['an input that does not fit', ['tokens', 'list', '--limit', 'many'], 2],
    ['an unknown token', ['tokens', 'show', 'nobody'], 1],
    ['a setting that is wrong', ['--server-port', 'x', 'config', 'show'], 200],
    ['a config file that is not there', ['--config', '/nowhere.toml', 'config', 'show'], 200],
    ['a gateway that is not there', ['--url', 'http://127.0.0.1:1', 'version'], 204],
    ['help', ['tokens', '--help'], 0],
    ['the version', ['--version'], 0],
  ] as const
) {
  test(`${what} ends with ${code}`, async () => expect((await cli(argv, at())).code).toBe(code))
}

test('every operation is a command with a help text', async () => {
  for (const operation of describeOperations(operations)) {
    if (operation.kind === 'subscription' || operation.cli?.hidden) continue
    const words = operation.cli?.command?.split(' ') ??
      operation.name.split('.').map((word) => word.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`))
    const { code, stdout } = await cli([...words, '--help'], at())
    expect([operation.name, code]).toEqual([operation.name, 0])
    expect(stdout.replace(/\s+/g, ' ')).toContain(operation.summary)
  }
})

test('tokens issue prints the token alone, list never shows it, --json prints what the operation gave', async () => {
  const issued = await cli(['tokens', 'issue', '--label', 'laptop', '--ttl-hours', '1', '--models', 'a,b'], at())
  expect(issued.stdout).toMatch(/^la_sk_\S+\n$/)
  const listed = await cli(['tokens', 'list'], at())
  expect(listed.stdout).toContain('laptop')
  expect(listed.stdout).not.toContain(issued.stdout.trim())
  const json = await cli(['tokens', 'list', '--json'], at())
  expect(JSON.parse(json.stdout).data[0]).toMatchObject({ label: 'laptop', models: ['a', 'b'], revoked: false })
  const id = JSON.parse(json.stdout).data[0].id as string
  expect((await cli(['tokens', 'expire', id], at())).stdout).toContain(`revoked\t${id}`)
})

test('--json puts an error on standard error as JSON', async () => {
  const { stderr, stdout } = await cli(['--json', 'tokens', 'show', 'nobody'], at())
  expect(stdout).toBe('')
  expect(JSON.parse(stderr).error).toMatchObject({ code: 'request.not_found' })
})

test('a table is aligned on a terminal and tab-separated elsewhere', async () => {
  const shown = await cli(['config', 'show', '--all'], at({ terminal: true }))
  expect(shown.stdout.split('\n')[0]).toMatch(/^key +value +from/)
  const piped = await cli(['config', 'show', '--all'], at())
  expect(piped.stdout.split('\n')[0]).toBe('key\tvalue\tfrom')
  expect(piped.stdout).not.toContain('\x1b')
})

test('settings can be given as flags before and after a command', async () => {
  for (const argv of [['--port', '9001', 'config', 'show'], ['config', 'show', '--server-port', '9001']]) {
    const { stdout } = await cli(argv, at())
    expect(stdout).toContain('server.port\t9001\t--server-port')
  }
  expect((await cli(['--set', 'server.port=9002', 'config', 'show'], at())).stdout).toContain('9002')
})

test('--api-format leaves clients one form to speak to Claude in, by any of its names, also as LR calls it', async () => {
  for (const name of ['auto', 'anthropic', 'messages', 'bedrock', 'invoke', 'vertex', 'rawpredict']) {
    const { stdout } = await cli(['--api-format', name, 'config', 'show', '--all'], at())
    expect(stdout).toContain(`server.api_format\t${name}\t--server-api-format`)
    const { env } = at()
    const aliased = await cli(['config', 'show', '--all'], { ...at(), env: { ...env, UPSTREAM_API_FORMAT: name } })
    expect(aliased.stdout).toContain(`server.api_format\t${name}`)
  }
  expect((await cli(['--api-format', 'gopher', 'config', 'show'], at())).code).toBe(200)
})

test('config set keeps the file of its owner and refuses what is not valid', async () => {
  const path = join(root, 'config.toml')
  writeFileSync(path, '# mine\n[server]\nport = 9003 # here\n', { mode: 0o600 })
  expect((await cli(['config', 'set', 'server.port', '9004'], at())).code).toBe(0)
  expect(readFileSync(path, 'utf8')).toBe('# mine\n[server]\nport = 9004 # here\n')
  expect((await cli(['config', 'set', 'server.port', 'x'], at())).code).toBe(200)
  expect(readFileSync(path, 'utf8')).toBe('# mine\n[server]\nport = 9004 # here\n')
  rmSync(path)
})

test('a secret is never taken from an argument, and one on the command line is warned of', async () => {
  expect((await cli(['accounts', 'add', 'openai', '--secret', 'sk-1234567890'], at())).code).toBe(2)
  const empty = await cli(['accounts', 'add', 'openai'], at())
  expect([empty.code, empty.stderr.includes('no secret on standard input')]).toEqual([2, true])
  const { stderr } = await cli(['--url', 'http://127.0.0.1:1', '--token', 'la_sk_x', 'version'], at())
  expect(stderr).toContain('can be seen by other programs')
})

test('what comes from elsewhere cannot steer the terminal', async () => {
  await cli(['tokens', 'issue', '--label', 'plain'], at())
  const { stderr } = await cli(['tokens', 'show', '\x1b[2Jgone'], at())
  expect(stderr).not.toContain('\x1b')
})

test('completion scripts are printed for each shell', async () => {
  for (const shell of ['bash', 'zsh', 'fish', 'powershell']) {
    const main = join(import.meta.dir, '../../client/cli/main.ts')
    const { status, stdout } = await runCommand([process.execPath, main, 'complete', shell], { timeoutMs: 20_000 })
    expect([shell, status, stdout.length > 200]).toEqual([shell, 0, true])
  }
}, 60_000)

test(
  'completion in a bare bash offers commands, options and choices, and evaluates nothing that is typed',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gw-bash-'))
    const main = join(import.meta.dir, '../../client/cli/main.ts')
    writeFileSync(join(folder, 'gw'), `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`, { mode: 0o755 })
    const lines = [
      'gw acc',
      'gw accounts ',
      'gw accounts add --fr',
      'gw usage summary --by mo',
      `gw chat "$(touch ${folder}/ran)" `,
      'gw nonsense ',
    ]
    const script = `eval "$(gw complete bash)"
for line in ${lines.map((line) => `'${line}'`).join(' ')}; do
  COMP_LINE=$line COMP_POINT=\${#line}; COMPREPLY=(); _gw_complete; echo "\${COMPREPLY[*]}"
done`
    const { status, stdout, stderr } = await runCommand(['bash', '--norc', '-c', script], {
      timeoutMs: 60_000,
      env: { PATH: `${folder}:${process.env['PATH']}`, HOME: folder },
    })
    expect([status, stderr]).toEqual([0, ''])
    const [commands, words, options, choices, , nothing] = stdout.split('\n')
    expect([commands, options, choices]).toEqual(['accounts', '--from', 'model'])
    expect(words!.split(' ')).toContain('list')
    expect(nothing).toBe('')
    expect(existsSync(join(folder, 'ran'))).toBe(false)
    rmSync(folder, { recursive: true })
  },
  120_000,
)

test('an area without one of its commands shows its page and nothing else, exit 2', async () => {
  const shown = await cli(['liveness'], at())
  expect([shown.code, shown.stdout]).toEqual([2, ''])
  expect(shown.stderr).toStartWith('Usage: gw liveness')
  expect(shown.stderr).not.toContain('gw: ')
  const { code, stderr } = await cli(['--json', 'liveness'], at())
  expect([code, JSON.parse(stderr).error.code]).toEqual([2, 'usage.invalid'])
  const unknown = await cli(['help', 'nope'], at())
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining("gw: unknown command 'nope'")])
})

test('config edit changes keys and accounts together, and takes no secret from the command line', async () => {
  const account = JSON.stringify([{ id: 'edited', provider: 'openai', from: 'env:EDITED', priority: 3 }])
  const edits = '[{"key":["log","level"],"value":"error"}]'
  const done = await cli(['--json', 'config', 'edit', '--edits', edits, '--accounts', account], at())
  expect([done.code, JSON.parse(done.stdout).keys]).toEqual([0, ['log.level']])
  const shown = JSON.parse((await cli(['--json', 'accounts', 'show', 'edited'], at())).stdout)
  expect([shown.source, shown.priority]).toEqual(['env:EDITED', 3])
  const open = JSON.stringify([{ id: 'open', provider: 'openai', secret: 'sk-for-all-to-see' }])
  const refused = await cli(['config', 'edit', '--accounts', open], at())
  expect([refused.code, refused.stderr.includes('sk-for-all')]).toEqual([2, false])
  const { stdout } = await cli(['config', 'edit', '--help'], at())
  expect(stdout).toContain('a JSON list')
})

test('usage without a word adds up', async () => {
  const { code, stdout } = await cli(['usage', '--by', 'model', '--json'], at())
  expect([code, JSON.parse(stdout).by]).toEqual([0, 'model'])
})

test('sim lives the same day each time, and refuses days that are none', async () => {
  const { code, stdout } = await cli(['--json', 'sim', '--sessions', '20', '--seed', '3'], at())
  expect(code).toBe(0)
  const { days } = JSON.parse(stdout) as { days: { name: string; day: { turns: number; rebilledTokens: number } }[] }
  expect(days.map(({ name }) => name)).toEqual(['gw (drain soonest reset, sticky)', 'round-robin', 'random'])
  expect(days[0]!.day.rebilledTokens).toBeLessThan(days[1]!.day.rebilledTokens)
  expect((await cli(['--json', 'sim', '--sessions', '20', '--seed', '3'], at())).stdout).toBe(stdout)
  expect((await cli(['sim', '--sessions', 'many'], at())).code).toBe(2)
}, 60_000)
