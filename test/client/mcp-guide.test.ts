import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type FixtureHttpServer, serveFixture } from '../support/mcp/fixture.ts'
import { cli } from './support.ts'

// The steps that docs/mcp.md prints, each as it stands there, on a home with the settings that it prints.

const root = resolve(import.meta.dir, '../..')
const guide = readFileSync(join(root, 'docs/mcp.md'), 'utf8')
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))].map((match) => match[1]!)
const steps = blocks('sh').flatMap((block) => block.replaceAll('\\\n', ' ').split('\n'))
  .map((line) => line.replace(/\s+#.*$/, '').trim()).filter((line) => line.startsWith('gw '))

let folder: string
let fixture: FixtureHttpServer
let env: Record<string, string>

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gw-mcp-guide-'))
  fixture = serveFixture({
    guard: (request) =>
      request.headers.get('authorization') === 'Bearer the-key' ? undefined : new Response(null, { status: 401 }),
  })
  mkdirSync(join(folder, 'home'), { mode: 0o700 })
  // What stands for servers of other people: the fixture, over HTTP and as a program.
  const config = blocks('toml').filter((block) => block.includes('[mcp.')).join('\n')
    .replace(/^url = .*$/m, `url = "${fixture.url}"\nlocal = true`)
    .replace(/^command = .*$/m, `command = ["${process.execPath}", "${join(root, 'test/support/mcp/stdio.ts')}"]`)
  expect(config).toContain('[mcp.permissions]')
  writeFileSync(join(folder, 'home/config.toml'), config)
  env = { GW_HOME: join(folder, 'home'), HOME: folder, PATH: process.env.PATH!, LINEAR_ACCESS_TOKEN: 'the-key' }
})
afterAll(async () => {
  await fixture.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** A line as a shell takes it apart. */
const words = (line: string) => [...line.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]!)

test('every step that the guide prints runs', async () => {
  expect(steps.length).toBeGreaterThan(10)
  for (const step of steps) {
    const [, ...argv] = words(step)
    if (argv.includes('apr_…')) {
      // Nothing has been asked here: the command is there and says so.
      const { code, stderr } = await cli(argv.map((word) => word === 'apr_…' ? 'apr_none' : word), { env, cwd: folder })
      expect([step, code, stderr]).toEqual([step, 1, expect.stringContaining('no approval apr_none')])
      continue
    }
    const { code, stdout, stderr } = await cli(argv, { env, cwd: folder })
    // Its server has a key and no login: that it is asked is what can be seen here; test/client/mcp-login does the rest.
    const wanted = step === 'gw auth login mcp linear'
      ? [1, expect.stringContaining('names no authorization server')]
      : [0, '']
    expect([step, code, stderr]).toEqual([step, ...wanted])
    if (step.startsWith('gw mcp servers')) expect(stdout).not.toContain('cannot be reached')
    if (step.startsWith('gw probe')) expect(stdout).toContain('200')
  }
}, 120_000)
