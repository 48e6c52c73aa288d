import type { Command } from 'commander'
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { modules } from '../../client/cli/modules.ts'
import { buildProgram } from '../../client/cli/program.ts'
import { isObject } from '../../lib/base/mod.ts'
import { silentIo } from '../docs/silent-io.ts'
import { cli } from './support.ts'

const login = 'a conversation with a person and a vendor; test/client/logins.test.ts plays both'

/** Commands whose output is not a result: what they print is for somebody else, or they do not end by themselves. */
const noResult: Readonly<Record<string, string>> = {
  'auth anthropic-login': login,
  'auth login': login,
  'auth login-github-copilot': login,
  'auth login-openai-codex': login,
  'chat': 'a conversation: what a model says is printed as it comes',
  'codex login': 'hands the terminal to another program',
  'codex login-device': 'hands the terminal to another program',
  'complete': 'a script for a shell',
  'daemon run': 'runs until it is stopped',
  'daemon start': 'starts a process that stays',
  'daemon supervise': 'runs until it is stopped',
  'demo': 'runs until it is stopped',
  'env': 'lines for a shell to read',
  'exec': 'what is printed is the output of the program that is run',
  'llm proxy start': 'runs until it is stopped',
  'mcp': 'speaks the protocol over its standard output',
  'serve': 'runs until it is stopped',
  'stay-afloat launch': 'what is printed is the output of the program that is run',
}

/** Arguments that mean something; what is not here is called `nobody`. */
const words: Readonly<Record<string, string>> = {
  base_url: 'https://mine.example/v1',
  config: 'file.json',
  document: '{}',
  file: 'file.json',
  key: 'log.level',
  model: 'nobody/none',
  shell: 'bash',
  url: 'http://127.0.0.1:9',
  value: 'warn',
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gw-json-'))
  writeFileSync(join(folder, 'file.json'), '{}')
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Every command that does something, by its words, with a command line for it. */
function commands(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  const walk = (command: Command, path: readonly string[]) => {
    for (const one of command.commands) {
      const here = [...path, one.name()]
      // Commander keeps it to itself that a command has something to run.
      const runs = (one as unknown as { _actionHandler: unknown })._actionHandler !== null
      if (runs) {
        const placed = one.registeredArguments.filter(({ required }) => required).map((argument) => argument.name())
        const asked = one.options.filter(({ mandatory }) => mandatory).flatMap(({ long }) => [long!, 'nobody'])
        found.set(here.join(' '), [...here, ...placed.map((name) => words[name] ?? 'nobody'), ...asked])
      }
      walk(one, here)
    }
  }
  walk(buildProgram(silentIo, '0.0.0', modules, () => {}, ['complete']), [])
  return found
}

for (const [command, argv] of commands()) {
  if (noResult[command] !== undefined) continue
  test(`gw ${command} --json prints one object, or an error as one`, async () => {
    const env = { GW_HOME: join(folder, command.replaceAll(' ', '-')), HOME: folder, PATH: '/usr/bin:/bin' }
    const { code, stdout, stderr } = await cli(['--json', ...argv], { env, cwd: folder, input: 'word-of-eight' })
    if (stdout !== '') {
      const said: unknown = JSON.parse(stdout)
      expect([isObject(said), stderr]).toEqual([true, ''])
      return
    }
    const { error } = JSON.parse(stderr) as { error: { code: string; message: string } }
    expect(error).toMatchObject({ code: expect.stringMatching(/^[a-z]+\.[a-z_]+$/), message: expect.any(String) })
    expect(code).toBeGreaterThan(0)
  }, 20_000)
}

test('what is excused from --json exists', () => {
  const known = commands()
  expect(Object.keys(noResult).filter((command) => !known.has(command))).toEqual([])
})
