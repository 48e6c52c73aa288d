/**
 * A process that refreshes one login and dies, by its own kill -9, at the n-th step that touches a disk once the answer
 * of the issuer is read. With n = 0 it lives, and prints the names of all steps.
 *
 * Arguments: home, token URL, what to refresh (`own:<binding>`, or `codex:<path>`), n.
 */
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import type { Platform, SqliteConnection } from '../../lib/platform/mod.ts'

const [folder, tokenUrl, what, nth] = process.argv.slice(2) as [string, string, string, string]
const steps: string[] = []
let armed = false

function step(name: string): void {
  if (!armed) return
  steps.push(name)
  if (steps.length === Number(nth)) process.kill(process.pid, 'SIGKILL')
}

/** Each call of a function is two steps: right before it, and right after it. */
function watched<A extends unknown[], R>(name: string, work: (...args: A) => R): (...args: A) => R {
  return (...args) => {
    step(`before ${name}`)
    const result = work(...args)
    if (!(result instanceof Promise)) {
      step(`after ${name}`)
      return result
    }
    return result.then((value) => {
      step(`after ${name}`)
      return value
    }) as R
  }
}

// Patched before lib is loaded: it imports these by name.
const { open, rename, unlink } = fs
Object.assign(fs, {
  open: async (...args: Parameters<typeof open>) => {
    const file = await watched('open', open)(...args)
    const { sync, writeFile } = file
    file.sync = watched('fsync', sync.bind(file))
    file.writeFile = watched('write', writeFile.bind(file)) as never
    return file
  },
  rename: watched('rename', rename),
  unlink: watched('unlink', unlink),
})
syncBuiltinESMExports()

const [{ openLoginHome }, { detectPlatform }] = await Promise.all([
  import('./login-home.ts'),
  import('../../lib/platform/mod.ts'),
])
const real = await detectPlatform()
const platform: Platform = {
  ...real,
  async openSqlite(path) {
    const connection = await real.openSqlite(path)
    return path.endsWith('.gw-lock') ? spied(connection) : connection
  },
}

function spied(connection: SqliteConnection): SqliteConnection {
  return {
    ...connection,
    exec: watched('lock: facts', (sql) => connection.exec(sql)),
    prepare(sql) {
      const statement = connection.prepare(sql)
      return { ...statement, run: watched('lock: fact', (parameters) => statement.run(parameters)) }
    },
    close: watched('lock: release', () => connection.close()),
  }
}

const home = await openLoginHome({
  folder,
  platform,
  overrides: { chatgpt: { token_url: tokenUrl } },
  async fetch(input, init) {
    const response = await fetch(input, init)
    const body = await response.text()
    armed = true
    step('answer read')
    return new Response(body, { status: response.status, headers: { 'content-type': 'application/json' } })
  },
})
const [kind, name] = what.split(/:(.*)/s) as [string, string]
const reading = kind === 'own' ? home.logins.readLogin('chatgpt', name, {}) : home.logins.readForeign('codex', name, {})
await reading
armed = false
process.stdout.write(JSON.stringify(steps))
process.exit(0)
