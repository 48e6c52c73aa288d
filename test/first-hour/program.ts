import { expect } from 'bun:test'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export const root = resolve(import.meta.dir, '../..')
export const main = join(root, 'client/cli/main.ts')

const cache = mkdtempSync(join(tmpdir(), 'gw-hour-cache-'))
chmodSync(cache, 0o777)
process.on('exit', () => rmSync(cache, { recursive: true, force: true }))

/** How a run of the program ended. */
export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** What a run of the program is given. */
export interface Given {
  readonly home: string
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  /** What stands before the program: another user, another runtime. */
  readonly before?: readonly string[]
}

/** Runs the real program, as a person would, in a home of its own. */
export async function gw(words: readonly string[], given: Given): Promise<Ended> {
  const child = start(words, given)
  const late = setTimeout(() => child.kill('SIGKILL'), 30_000)
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  clearTimeout(late)
  return { code, out, err }
}

/** Starts the program and leaves it running. */
export function start(words: readonly string[], { home, env = {}, input = '', before = [process.execPath] }: Given) {
  return Bun.spawn([...before, main, ...words], {
    env: {
      PATH: process.env.PATH ?? '',
      HOME: home,
      GW_HOME: home,
      // A home that is new each time would have the program read anew each time.
      BUN_RUNTIME_TRANSPILER_CACHE_PATH: cache,
      ...env,
    },
    cwd: '/',
    stdin: new TextEncoder().encode(input),
    stdout: 'pipe',
    stderr: 'pipe',
  })
}

/** A gateway that runs until it is disposed. */
export interface Served extends AsyncDisposable {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** What it has printed. */
  said(): string
}

/** Starts `gw serve` on a free port. */
export async function serve(given: Given, ...words: readonly string[]): Promise<Served> {
  const child = start(['serve', '--port', '0', ...words], given)
  const said = Promise.withResolvers<string>()
  let text = ''
  const reading = (async () => {
    const utf8 = new TextDecoder()
    for await (const bytes of child.stdout) {
      text += utf8.decode(bytes, { stream: true })
      const url = /listens on (\S+)/.exec(text)?.[1]
      if (url) said.resolve(url)
    }
    said.reject(new Error(`it ended: ${text}${await new Response(child.stderr).text()}`))
  })()
  const url = await said.promise
  return {
    url,
    port: Number(new URL(url).port),
    pid: child.pid,
    said: () => text,
    async [Symbol.asyncDispose]() {
      child.kill()
      await Promise.all([child.exited, reading.catch(() => {})])
    },
  }
}

/** A folder that is gone afterwards. */
export async function inHome<T>(work: (home: string) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'gw-hour-'))
  try {
    return await work(home)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

/** What must not stand in a sentence for people: names of system errors, places in code. */
const raw = /\bE[A-Z]{3,}\b|errno|syscall|node:|\.ts:\d|\n\s+at /

/** Checks that a run ended as it should, with a sentence of what happened and one of what helps. */
export function expectSentence(ended: Ended, code: number, what: RegExp): void {
  expect(ended.err).toMatch(what)
  expect(ended.err).toMatch(/^gw: [^\n]+\n(?: {2}[^\n]+\n)+$/)
  expect(ended.err).not.toMatch(raw)
  expect(ended).toMatchObject({ code, out: '' })
}
