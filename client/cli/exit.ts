import { type GwError, redact, toGwError } from '../../lib/base/mod.ts'
import type { CliIo } from './io.ts'
import { red } from './output.ts'
import { printable } from './words.ts'

/** Says on standard error what went wrong and what helps, and gives the exit code. */
export function reportError(io: CliIo, error: unknown, json: boolean): number {
  const own: GwError = toGwError(error)
  if (json) {
    const { code, message, hint, param, retryAfterMs, details } = own
    const text = message.split('\n').map((line) => redact(line)).join('\n')
    io.err(`${JSON.stringify({ error: { code, message: text, hint, param, retryAfterMs, details } })}\n`)
    return own.exit
  }
  const [first, ...more] = own.message.split('\n')
  io.err(`${red(io, 'gw:')} ${printable(redact(first!))}\n`)
  for (const line of more) io.err(`${printable(redact(line))}\n`)
  if (own.hint) io.err(`  ${printable(own.hint)}\n`)
  if (own.code === 'internal' && io.env.GW_LOG_LEVEL === 'debug') io.err(`${String(own.cause ?? own.stack)}\n`)
  return own.exit
}
