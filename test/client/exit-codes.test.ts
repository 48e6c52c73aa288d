import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errorCodes, GwError } from '../../lib/base/mod.ts'
import { fakeUpstream } from '../support/fake-upstream.ts'
import { startGateway } from '../support/gateway.ts'
import { cli } from './support.ts'

/** What each exit code means. */
const meanings = {
  0: 'done',
  1: 'failed',
  2: 'not understood',
  130: 'given up',
  200: 'configuration',
  201: 'nothing can be selected',
  202: 'secret',
  203: 'refresh and login',
  204: 'network',
} as const

type Exit = keyof typeof meanings

/** One command line for each way to fail, with the file that the home has. */
const failures: readonly (readonly [why: string, argv: readonly string[], exit: Exit, config?: string])[] = [
  ['all is well', ['version'], 0],
  ['a check that finds something wrong', ['doctor'], 0, 'log = [\n'],
  ['a strict check that finds something wrong', ['doctor', '--strict'], 1, 'log = [\n'],
  ['what is named is not there', ['accounts', 'show', 'nobody'], 1],
  ['a provider that is not there', ['accounts', 'add', 'nowhere', '--from', 'env:X'], 1],
  ['a command that is not there', ['acounts'], 2],
  ['a command of an area that is not there', ['accounts', 'lost'], 2],
  ['a flag that is not there', ['accounts', 'list', '--nonsense'], 2],
  ['an argument too few', ['accounts', 'show'], 2],
  ['an argument too many', ['version', 'really'], 2],
  ['a value that is none of those', ['usage', 'summary', '--by', 'mood'], 2],
  ['a value that does not fit', ['tokens', 'issue', '--ttl-hours', '-1'], 2],
  ['a setting without a value', ['--set', 'log.level', 'version'], 2],
  ['a file that does not parse', ['accounts', 'list'], 200, 'log = [\n'],
  ['a status of a file that does not fit', ['status'], 200, 'server = 5\n'],
  ['an inventory of a file that does not fit', ['discover'], 200, 'server = 5\n'],
  ['a check of a file that does not fit', ['config', 'validate'], 200, 'server = 5\n'],
  ['a file with a key that is none', ['accounts', 'list'], 200, '[log]\nlevle = "warn"\n'],
  ['a change that does not fit', ['config', 'set', 'log.level', 'loud'], 200],
  ['a scope that means nothing', ['stay-afloat', 'handoff', 'ack'], 200],
  ['no route', ['route', 'select'], 201],
  ['a secret that is not there', ['accounts', 'list', '--url', 'http://127.0.0.1:9', '--token', 'env:NOT_SET'], 202],
  ['a login that is not there', ['auth', 'inspect', 'chatgpt'], 203],
  ['a gateway that is not there', ['accounts', 'list', '--url', 'http://127.0.0.1:9', '--token', 'env:HELD'], 204],
]

for (const [why, argv, exit, config] of failures) {
  test(`${why}: gw ${argv.join(' ')} exits ${exit}, ${meanings[exit]}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gw-exit-'))
    try {
      if (config !== undefined) writeFileSync(join(folder, 'config.toml'), config)
      const env = { GW_HOME: folder, HOME: folder, HELD: 'la_sk_x' }
      const [text, json] = [await cli(argv, { env, cwd: folder }), await cli(['--json', ...argv], { env, cwd: folder })]
      expect([text.code, text.stderr]).toEqual([exit, text.stderr])
      expect([json.code, json.stderr]).toEqual([exit, json.stderr])
      if (text.stdout !== '') return
      expect(text.stderr).not.toBe('')
      if (json.stdout !== '') return
      const { error } = JSON.parse(json.stderr) as { error: { code: string; message: string } }
      expect(error.message).not.toBe('')
      expect(errorCodes).toHaveProperty([error.code])
    } finally {
      rmSync(folder, { recursive: true })
    }
  }, 20_000)
}

test('Ctrl-C at a question exits 130, given up, and nothing is stored', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-exit-'))
  try {
    const setup = { env: { GW_HOME: folder, HOME: folder }, cwd: folder }
    const askSecret = () => Promise.reject(new GwError('cancelled', 'cancelled'))
    for (const argv of [['accounts', 'add', 'openai'], ['auth', 'add-api-key', 'openai']]) {
      const { code, stderr } = await cli(argv, { ...setup, askSecret })
      expect([code, stderr]).toEqual([130, 'gw: cancelled\n'])
    }
    expect(JSON.parse((await cli(['--json', 'accounts', 'list'], setup)).stdout)).toEqual({ data: [] })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('gw chat ends with the exit code of what the gateway says, over HTTP and without', async () => {
  const upstream = await fakeUpstream((exchange) => exchange.reset())
  const settings = {
    'egress.allow_origins': [upstream.url],
    'routing.fallback.max_attempts': 1,
    'accounts.dead': { provider: 'openai', base_url: `${upstream.url}/v1`, token_env: 'PLANTED_KEY' },
  }
  const gateway = await startGateway({ settings })
  try {
    const env = { HOME: '/nonexistent', GW_URL: gateway.url, GW_TOKEN: gateway.token }
    const asked = await cli(['chat', '-m', 'openai:dead/m', 'hello'], { env })
    expect([asked.code, asked.stderr]).toEqual([204, asked.stderr])
    const why = JSON.parse((await cli(['--json', 'why'], { env })).stdout) as { sentence: string; error: string }
    expect(why.sentence).toBe('1 tried, none answered')
    expect(asked.stderr).toContain(why.error)
    const unknown = await cli(['chat', '-m', 'nobody-knows-this', 'hello'], { env })
    expect([unknown.code, unknown.stderr]).toEqual([1, unknown.stderr])
    const wrong = await cli(['chat', '-m', 'openai:dead/m', 'hello'], { env: { ...env, GW_TOKEN: 'la_sk_wrong' } })
    expect([wrong.code, wrong.stderr]).toEqual([1, wrong.stderr])
    const none = await cli(['chat', '-m', 'openai:none/m', 'hello'], { env })
    expect([none.code, none.stderr]).toEqual([201, none.stderr])
  } finally {
    await gateway.close()
    await upstream.close()
  }
})

test('each exit code is had by a command line above, and no error has another', () => {
  const tried = new Set<Exit>([...failures.map(([, , exit]) => exit), 130])
  expect(Object.keys(meanings).map(Number).filter((exit) => !tried.has(exit as Exit))).toEqual([])
  const exits = new Set(Object.values(errorCodes).map(({ exit }) => exit))
  expect([...exits].filter((exit) => !(exit in meanings))).toEqual([])
})
