import { afterAll, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stepsOf } from './steps.ts'
import { openTerminal } from './terminal.ts'
import { freePort, vendor } from './vendor.ts'

const root = join(import.meta.dir, '../..')
const guide = 'docs/first-hour.md'

/** Where programs are that not every machine has. */
const agents = process.env['GW_AGENTS'] ? join(process.env['GW_AGENTS'], 'node_modules/.bin') : null

const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

test('the first hour goes as it is written', async () => {
  const home = await mkdtemp(join(tmpdir(), 'gw-hour-'))
  const far = vendor()
  const port = freePort()
  const terminal = await openTerminal({
    cwd: root,
    home,
    env: { GW_SERVER_PORT: String(port) },
    programs: agents === null ? [] : [agents],
  })
  closers.push(() => rm(home, { recursive: true, force: true }), far.stop, () => terminal[Symbol.asyncDispose]())
  // The one thing that a stranger's machine has and this one has not: the vendor.
  await mkdir(join(home, '.config/gw'), { recursive: true })
  await writeFile(
    join(home, '.config/gw/config.toml'),
    `[egress]\nallow_origins = ["${far.url}"]\n\n[providers.openai]\nbase_url = "${far.url}/v1"\n`,
  )
  let ownerToken = ''
  let keys = 0
  const known = new Map<string, string>()
  for (const step of stepsOf(await readFile(join(root, guide), 'utf8'))) {
    if (step.needs !== null && !(agents !== null && existsSync(join(agents, step.needs)))) {
      console.log(`skipped: ${guide}:${step.line}, ${step.title}: needs ${step.needs}`)
      continue
    }
    if (step.revokes !== null) far.revoked.add(known.get(step.revokes)!)
    const commands = step.commands
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`)
      .replace('la_sk_…', ownerToken)
      .replace(/(\w+)=sk-…/, (_, name: string) => {
        known.set(name, `sk-first-hour-${++keys}`)
        return `${name}=${known.get(name)}`
      })
    if (step.server) {
      const said = await terminal.begin(commands, /try it:[^]*\n\n/, 60_000)
      ownerToken = /la_sk_\S+/.exec(said)![0]
      continue
    }
    const said = await terminal.run(commands, 120_000)
    for (const text of step.expects) {
      expect(`${step.title}: ${said}`).toContain(text.replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`))
    }
  }
  expect([...far.served.keys()].sort()).toEqual(['sk-first-hour-1', 'sk-first-hour-2', 'sk-first-hour-3'])
}, 600_000)
