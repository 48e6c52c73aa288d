import { afterEach, beforeEach, expect, test } from 'bun:test'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { within } from '../support/wait.ts'

// The daemon of oauth-mux is the gateway: started in the background, asked, ended.

const main = join(import.meta.dir, '../../client/cli/main.ts')
let home: string
beforeEach(async () => void (home = await mkdtemp(join(tmpdir(), 'gw-daemon-'))))
afterEach(async () => {
  await gw('daemon stop')
  await rm(home, { recursive: true, force: true })
})

async function gw(line: string) {
  const child = Bun.spawn([process.execPath, main, ...line.split(' ')], {
    env: { PATH: process.env.PATH, HOME: home, GW_HOME: home },
    cwd: home,
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err, code] = await within(
    60_000,
    line,
    Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]),
  )
  return { code, err, out, json: () => JSON.parse(out) as Record<string, unknown> }
}

test('start, status, stop: once each, and each says so', async () => {
  const first = (await gw('daemon start --port 0 --json')).json()
  expect(first).toMatchObject({ ok: true, started: true, status: 'running', log: join(home, 'serve.log') })
  expect((await fetch(`${first.url}/healthz`)).status).toBe(200)
  expect((await stat(join(home, 'serve.log'))).mode & 0o777).toBe(0o600)
  expect((await gw('daemon start --json')).json()).toMatchObject({ started: false, pid: first.pid, url: first.url })
  expect((await gw('oauth-mux daemon status --json')).json()).toMatchObject({
    status: 'running',
    hosts_stay_afloat: true,
    pid: first.pid,
  })
  expect((await gw('daemon stop --json')).json()).toMatchObject({ ok: true, stopped: true, pid: first.pid })
  expect((await gw('daemon status --json')).json()).toMatchObject({ status: 'not_running', pid: null })
  expect((await gw('daemon stop --json')).json()).toMatchObject({ ok: true, stopped: false, pid: null })
}, 60_000)

test('what keeps it from starting is said, and nothing is left running', async () => {
  await writeFile(join(home, 'config.toml'), 'server = 5\n')
  const { code, err } = await gw('daemon start')
  expect([code, err]).toEqual([1, expect.stringContaining('server: expected object')])
  await writeFile(join(home, 'config.toml'), '')
  expect((await gw('daemon status --json')).json()).toMatchObject({ status: 'not_running' })
}, 60_000)

test('run looks after the accounts although the configuration says no', async () => {
  await writeFile(join(home, 'config.toml'), '[stay_afloat]\nenabled = false\n')
  const child = Bun.spawn([process.execPath, main, 'daemon', 'run', '--stay-afloat', '--port', '0'], {
    env: { PATH: process.env.PATH, HOME: home, GW_HOME: home },
    cwd: home,
    stdout: 'pipe',
    stderr: 'ignore',
  })
  const reader = child.stdout.getReader()
  let said = ''
  const greeted = (async () => {
    while (!said.includes('try it')) said += new TextDecoder().decode((await reader.read()).value)
  })()
  await within(30_000, 'its greeting', greeted)
  expect(said).toContain('stay_afloat.enabled = true')
  expect((await gw('daemon stop')).out).toContain('has ended')
  expect(await child.exited).toBe(0)
  expect(await readFile(join(home, 'config.toml'), 'utf8')).toContain('enabled = false')
}, 60_000)
