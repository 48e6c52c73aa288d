import { afterAll, expect, test } from 'bun:test'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stepsOf } from './steps.ts'
import { openTerminal } from './terminal.ts'
import { freePort, vendor } from './vendor.ts'

const root = join(import.meta.dir, '../..')
const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.reverse()) await close()
})

test('the commands of the README go as they are written', async () => {
  const home = await mkdtemp(join(tmpdir(), 'gw-readme-'))
  const far = vendor()
  // Its two starts are two ways to begin: here they stand beside each other.
  const ports = [freePort(), freePort()]
  closers.push(() => rm(home, { recursive: true, force: true }), far.stop)
  const config = `[egress]\nallow_origins = ["${far.url}"]\n\n[providers.openai]\nbase_url = "${far.url}/v1"\n`
  const terminals = await Promise.all(ports.map(async (port, i) => {
    const own = join(home, String(i))
    await mkdir(join(own, '.config/gw'), { recursive: true })
    await writeFile(join(own, '.config/gw/config.toml'), config)
    const terminal = await openTerminal({ cwd: root, home: own, env: { GW_SERVER_PORT: String(port) } })
    await writeFile(join(own, 'tools/gw'), `#!/bin/sh\nexec bun "${root}/client/cli/main.ts" "$@"\n`, { mode: 0o755 })
    closers.push(() => terminal[Symbol.asyncDispose]())
    return terminal
  }))
  let starts = 0
  let ran = 0
  for (const step of stepsOf(await readFile(join(root, 'README.md'), 'utf8'))) {
    if (step.needs !== null) {
      console.log(`skipped: README.md:${step.line}, ${step.title}: needs ${step.needs}`)
      continue
    }
    const terminal = terminals[Math.max(0, step.server ? starts : 1)]!
    ran++
    if (step.server) {
      const said = await terminal.begin(step.commands, /try it:[^]*\n\n/, 60_000)
      expect(said).toContain(`listens on http://127.0.0.1:${ports[starts]}`)
      if (starts++ === 1) {
        const asked = 'export GW_TOKEN=$(gw tokens issue --label me)\ngw chat -m openai/gpt-5-mini hello'
        expect(await terminal.run(asked, 60_000)).toContain('hello')
      }
      continue
    }
    const newest = "$(gw usage requests --limit 1 --json | grep -o 'req_[0-9a-z]*' | head -1)"
    await terminal.run(step.commands.replace('=…', '=sk-readme').replace('req_…', newest), 60_000)
  }
  expect({ starts, ran: ran >= 5 }).toEqual({ starts: 2, ran: true })
  expect([...far.served.keys()]).toEqual(['sk-readme'])
}, 300_000)
