import type { Command } from 'commander'
import { expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { operator } from '../../lib/access/mod.ts'
import { accountSchema } from '../../lib/accounts/config.ts'
import { operations } from '../../lib/operations/router.ts'
import { described } from '../../client/cli/manifest.ts'
import { modules } from '../../client/cli/modules.ts'
import { buildProgram } from '../../client/cli/program.ts'
import { toolsFor } from '../../mcp/tools.ts'
import { silentIo } from '../docs/silent-io.ts'

const page = (name: string) => readFileSync(join(import.meta.dir, '../../docs/reference', name), 'utf8')
const kebab = (name: string) => name.replaceAll('_', '-').replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)
const called = described.filter(({ kind }) => kind !== 'subscription')

test('an operation has one name: on tRPC, as a path, as a tool and in the reference', () => {
  const trpc = new Set(Object.keys(operations._def.procedures))
  const tools = new Map(toolsFor(operator).map((tool) => [tool.name, Object.keys(tool.inputSchema.properties ?? {})]))
  const reference = page('operations.md')
  for (const { name, kind, mcp, input } of called) {
    const path = `${kind === 'query' ? 'GET' : 'POST'} /api/${name.replace('.', '/')}`
    const tool = name.replace('.', '_')
    const section = reference.split(`\n## ${name}\n`)[1]?.split('\n## ')[0] ?? ''
    expect([name, trpc.has(name), section.includes(`\`${path}\``)]).toEqual([name, true, true])
    expect([name, tools.has(tool), section.includes(`\`${tool}\``)]).toEqual([name, mcp === true, mcp === true])
    const fields = Object.keys(input.properties ?? {})
    if (mcp) expect([name, tools.get(tool)!.toSorted()]).toEqual([name, fields.toSorted()])
    expect([name, fields.filter((field) => !section.includes(`\`${field}\``))]).toEqual([name, []])
  }
})

test('a command is called as its operation, its flags as the fields, and the reference has both', () => {
  const program = buildProgram(silentIo, '0.0.0', modules, () => {}, ['complete'])
  const reference = page('commands.md')
  for (const { name, cli, input } of called) {
    if (cli?.hidden) continue
    const words = cli?.command?.split(' ') ?? name.split('.').map(kebab)
    let at: Command | undefined = program
    for (const word of words) at = at?.commands.find((one) => one.name() === word)
    expect([name, at === undefined, reference.includes(`\n## gw ${words.join(' ')}\n`)]).toEqual([name, false, true])
    const flags = at!.options.map(({ long }) => long!.replace(/^--(?:no-)?/, '').replace(/-stdin$/, ''))
    const known = new Set([...flags, ...at!.registeredArguments.map((argument) => kebab(argument.name()))])
    expect([name, Object.keys(input.properties ?? {}).filter((field) => !known.has(kebab(field)))]).toEqual([name, []])
  }
})

test('what an account is made of is called in the config as in the operation', () => {
  const add = described.find(({ name }) => name === 'accounts.add')!
  // Where the secret comes from is one word on a command line and a table of its own in the file.
  const ownWords = new Set(['id', 'from', 'secret'])
  const keys = new Set(Object.keys(accountSchema.shape))
  const fields = Object.keys(add.input.properties ?? {}).filter((field) => !ownWords.has(field))
  expect(fields.filter((field) => !keys.has(field))).toEqual([])
})
