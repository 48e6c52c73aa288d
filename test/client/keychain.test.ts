import { afterEach, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type ProcessHome, processHome } from './login-process.ts'

const main = resolve(import.meta.dir, '../../client/cli/main.ts')
const needed = ['dbus-run-session', 'gnome-keyring-daemon']
const missing = needed.filter((program) => Bun.which(program) === null)
if (missing.length > 0) console.error(`skipped, ${missing.join(' and ')} not found: a real keychain`)

let at: ProcessHome | null = null
afterEach(() => at?.close())

/** A session bus of its own with a keychain on it: unlocked by its password, or as after a login without one. */
const session =
  'if [ -n "$LOCKED" ]; then gnome-keyring-daemon --start --components=secrets </dev/null >/dev/null 2>&1; ' +
  'else printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; fi; exec "$@"'

test.skipIf(missing.length > 0)(
  'the key of a home is kept in a real keychain; when that is locked it says so at once and changes nothing',
  async () => {
    at = processHome('[secrets]\nkey_store = "keychain"\n', [
      ...['dbus-run-session', '--', 'sh', '-c', session, 'sh'],
      ...[process.execPath, main],
    ])
    mkdirSync(join(at.user, 'run'), { mode: 0o700 })
    const kept = await at.run(['auth', 'add-token', 'chatgpt'], 'a-plain-token\n')
    expect([kept.code, kept.stderr.includes('gw:')]).toEqual([0, false])
    expect((await at.run(['auth', 'chatgpt-access-token'])).stdout).toBe('a-plain-token\n')
    expect(readdirSync(at.home).filter((name) => /key/.test(name))).toEqual([])
    expect(existsSync(join(at.user, '.local/share/keyrings'))).toBe(true)
    const file = join(at.home, 'auth', 'openai.json')
    const before = readFileSync(file, 'utf8')
    const started = performance.now()
    const locked = await at.run(['auth', 'chatgpt-access-token'], '', { LOCKED: '1' })
    expect([locked.code, locked.stdout]).toEqual([202, ''])
    expect(locked.stderr).toMatch(/the keychain did not let gw read an item\n.*unlock the keychain/)
    expect(performance.now() - started).toBeLessThan(20_000)
    expect(readFileSync(file, 'utf8')).toBe(before)
    expect((await at.run(['auth', 'chatgpt-access-token'])).stdout).toBe('a-plain-token\n')
  },
  60_000,
)

test.skipIf(Bun.which('script') === null)('gw auth configure asks in a terminal, and shows no key', async () => {
  at = processHome('')
  const child = Bun.spawn([
    'script',
    '-qec',
    `stty cols 80 rows 24; exec ${process.execPath} ${main} auth configure`,
    '/dev/null',
  ], {
    cwd: at.user,
    env: { PATH: process.env.PATH!, HOME: at.user, GW_HOME: at.home, TERM: 'xterm' },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const answers: [RegExp, string][] = [[/Which provider\?/, 'openai\r'], [/API key of openai\?/, 'sk-canary-typed\r']]
  let screen = ''
  for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream() as never) as AsyncIterable<string>) {
    screen += chunk
    const next = answers[0]
    if (next?.[0].test(screen)) {
      answers.shift()
      child.stdin.write(next[1])
      child.stdin.flush()
    }
  }
  expect([await child.exited, answers.length, screen.includes('canary')]).toEqual([0, 0, false])
  expect((await at.run(['token', 'openai'])).stdout).toBe('sk-canary-typed\n')
}, 60_000)
