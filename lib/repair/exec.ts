import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { GwError } from '../base/mod.ts'
import type { Injection } from './inject.ts'

/** What a child is started with. */
export interface ExecOptions {
  readonly argv: readonly string[]
  readonly base: Readonly<Record<string, string | undefined>>
  readonly injection: Injection
  readonly cwd?: string
}

/** Signals that are passed on to the child instead of ending us before it. */
const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/**
 * Runs a program with this terminal and an injected credential; resolves with its exit status, or 128 plus the number
 * of the signal that ended it. What was written for it is gone before this resolves.
 *
 * @throws GwError `usage.invalid` without a program, `request.not_found` (exit 1) when it cannot be started
 */
export async function execWith({ argv, base, injection, cwd }: ExecOptions): Promise<number> {
  const [program, ...args] = argv
  try {
    if (!program) throw new GwError('usage.invalid', 'a program is needed after --', { hint: 'gw exec -- codex' })
    return await run(program, args, { ...base, ...injection.variables }, cwd)
  } finally {
    await injection.dispose()
  }
}

/** Runs a program with this terminal; resolves with its exit status as {@link execWith} does. */
export function run(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  cwd?: string,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: 'inherit', env: env as NodeJS.ProcessEnv, ...(cwd ? { cwd } : {}) })
    // The terminal sends its signals to the whole group; a second one from us would be one too many only for SIGINT.
    const handlers = passedOn.map((signal) => {
      const pass = () => void (signal === 'SIGINT' && process.stdin.isTTY ? undefined : child.kill(signal))
      process.on(signal, pass)
      return () => process.removeListener(signal, pass)
    })
    const finish = () => handlers.forEach((remove) => remove())
    child.on('error', (cause: Error & { code?: string }) => {
      finish()
      const why = cause.code === 'ENOENT' ? 'not found on the PATH' : cause.code ?? cause.message
      reject(
        new GwError('request.not_found', `${program} could not be started: ${why}`, {
          hint: 'name a program that is installed and may be run',
          cause,
        }),
      )
    })
    child.on('close', (status: number | null, signal: NodeJS.Signals | null) => {
      finish()
      resolve(status ?? 128 + (signal ? constants.signals[signal] ?? 0 : 0))
    })
  })
}
