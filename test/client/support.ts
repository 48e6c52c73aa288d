import type { CliIo } from '../../client/cli/io.ts'
import { modules } from '../../client/cli/modules.ts'
import { runCli } from '../../client/cli/run.ts'

/** How a command line ended. */
export interface CliResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** What a command line is run with. */
export interface CliSetup {
  readonly env?: Readonly<Record<string, string>>
  readonly input?: string
  readonly terminal?: boolean
  readonly cwd?: string
  readonly signal?: AbortSignal
  readonly columns?: number
  /** What a person types, or does, when asked for a secret; absent where nobody is there. */
  readonly askSecret?: () => Promise<string>
  /** The lines that a person types, one a question; absent where nobody is there. */
  readonly lines?: readonly string[]
}

/** Runs a command line in this process. */
export function cli(argv: readonly string[], setup: CliSetup = {}): Promise<CliResult> {
  return withIo((io) => runCli(argv, io, { version: '0.0.0-test', modules }), setup)
}

/** Runs what ends with an exit code, and keeps what it says. */
export async function withIo(run: (io: CliIo) => Promise<number>, setup: CliSetup = {}): Promise<CliResult> {
  let stdout = ''
  let stderr = ''
  const lines = [...setup.lines ?? []]
  const io: CliIo = {
    env: setup.env ?? {},
    cwd: setup.cwd ?? '/nonexistent',
    out: (text) => void (stdout += text),
    err: (text) => void (stderr += text),
    terminal: setup.terminal ?? false,
    interactive: setup.askSecret !== undefined || setup.lines !== undefined,
    columns: setup.columns ?? 100,
    color: false,
    readInput: () => Promise.resolve(setup.input ?? ''),
    askSecret: setup.askSecret ?? (() => Promise.reject(new Error('nobody is there'))),
    askLine: () => Promise.resolve(lines.shift() ?? null),
    signal: setup.signal ?? new AbortController().signal,
  }
  const code = await run(io)
  return { code, stdout, stderr }
}
