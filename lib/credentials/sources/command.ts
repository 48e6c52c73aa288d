import { GwError, redact } from '../../base/mod.ts'
import { runCommand } from '../../platform/mod.ts'
import type { ReadOptions } from '../credential.ts'

/** How a program that prints a secret is run. */
export interface CommandOptions extends ReadOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly timeoutMs: number
  readonly input?: string
}

/**
 * What a program printed. Its standard error goes into the error's `details.stderr`, redacted: an error line of the
 * log shows the sentence only.
 *
 * @throws GwError `credential.unavailable` when it cannot start, takes too long or ends with another status than 0
 */
export async function commandOutput(argv: readonly string[], options: CommandOptions): Promise<string> {
  const { env, timeoutMs, input, signal } = options
  const result = await runCommand(argv, {
    env,
    timeoutMs,
    maxOutputBytes: 256 * 1024,
    ...(input === undefined ? {} : { input }),
    ...(signal ? { signal } : {}),
  })
  if (result.status === 0 && !result.timedOut) return result.stdout
  const why = result.timedOut ? `took longer than ${timeoutMs} ms` : `ended with status ${result.status}`
  throw new GwError('credential.unavailable', `the credential command ${argv[0]} ${why}`, {
    hint: `run it by hand to see what it says`,
    details: { program: argv[0], status: result.status, timedOut: result.timedOut, stderr: redact(result.stderr, 500) },
  })
}
