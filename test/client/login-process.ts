import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const main = resolve(import.meta.dir, '../../client/cli/main.ts')

/** A command line in a process of its own. */
export interface Started {
  /** What it has said on standard error so far. */
  readonly said: string
  /** Resolves with the address that it prints for a person to open. */
  address(): Promise<string>
  /** Resolves when standard error matches. */
  says(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves when standard output matches. */
  out(pattern: RegExp): Promise<RegExpExecArray>
  readonly pid: number
  /** Writes to its standard input and closes that. */
  type(text: string): void
  interrupt(): void
  readonly done: Promise<Done>
}

/** How a process ended. */
export interface Done {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A home whose commands run as processes, as a person or a tool would start them. */
export interface ProcessHome {
  readonly home: string
  readonly user: string
  start(argv: readonly string[], options?: { env?: Record<string, string> }): Started
  /** Runs to the end with this standard input. */
  run(argv: readonly string[], input?: string, env?: Record<string, string>): Promise<Done>
  /** Ends what still runs and removes the home. */
  close(): Promise<void>
}

/** Makes a home with this configuration. `program` is the command line instead of the sources. */
export function processHome(config: string, program: readonly string[] = [process.execPath, main]): ProcessHome {
  const user = mkdtempSync(join(tmpdir(), 'gw-login-cli-'))
  const home = join(user, 'gw')
  mkdirSync(home, { mode: 0o700 })
  writeFileSync(join(home, 'config.toml'), `[egress]\nallow_localhost = true\nenforce_https = false\n\n${config}`)
  const running = new Set<{ kill(signal: NodeJS.Signals): void; exited: Promise<number> }>()

  function start(argv: readonly string[], { env = {} }: { env?: Record<string, string> } = {}): Started {
    const child = Bun.spawn([...program, ...argv], {
      cwd: user,
      env: {
        PATH: process.env.PATH ?? '/usr/bin:/bin',
        HOME: user,
        USER: 'me',
        GW_HOME: home,
        XDG_RUNTIME_DIR: join(user, 'run'),
        ...env,
      },
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    running.add(child)
    const said = { stdout: '', stderr: '' }
    const waiting = new Set<() => void>()
    const read = async (stream: 'stdout' | 'stderr') => {
      for await (const chunk of child[stream].pipeThrough(new TextDecoderStream() as never) as AsyncIterable<string>) {
        said[stream] += chunk
        for (const look of waiting) look()
      }
    }
    const done = Promise.all([child.exited, read('stdout'), read('stderr')]).then(([code]) => {
      running.delete(child)
      for (const look of waiting) look()
      return { code, ...said }
    })
    const matches = (stream: 'stdout' | 'stderr', pattern: RegExp) =>
      new Promise<RegExpExecArray>((found, missing) => {
        const look = () => {
          const match = pattern.exec(said[stream])
          if (match) {
            waiting.delete(look)
            found(match)
          }
        }
        waiting.add(look)
        look()
        done.then(() => missing(new Error(`it ended without saying ${pattern}: ${said.stderr}`)))
      })
    return {
      get said() {
        return said.stderr
      },
      pid: child.pid,
      says: (pattern) => matches('stderr', pattern),
      out: (pattern) => matches('stdout', pattern),
      address: async () => (await matches('stderr', /^ {2}(https?:\/\/\S+)$/m))[1]!,
      type(text) {
        child.stdin.write(text)
        child.stdin.end()
      },
      interrupt: () => child.kill('SIGINT'),
      done,
    }
  }

  return {
    home,
    user,
    start,
    async run(argv, input = '', env = {}) {
      const started = start(argv, { env })
      started.type(input)
      return await started.done
    },
    async close() {
      for (const child of running) {
        child.kill('SIGKILL')
        await child.exited
      }
      rmSync(user, { recursive: true, force: true })
    },
  }
}
