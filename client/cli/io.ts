import { isatty } from 'node:tty'
import { GwError } from '../../lib/base/mod.ts'

/** What a command reads from and writes to. */
export interface CliIo {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly cwd: string
  out(text: string): void
  err(text: string): void
  /** Whether people look at standard output. */
  readonly terminal: boolean
  /** Whether people type at standard input. */
  readonly interactive: boolean
  /** Width of the terminal. */
  readonly columns: number
  readonly color: boolean
  /** All of standard input, at most 64 KB. */
  readInput(): Promise<string>
  /** A secret typed by a person, not shown. */
  askSecret(question: string): Promise<string>
  /** A line typed by a person; `null` at the end of the input. */
  askLine(question: string): Promise<string | null>
  /** Ends with Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
}

const largestInput = 64 * 1024

/** The standard streams of this process. */
export function processIo(signal: AbortSignal): CliIo {
  const terminal = process.stdout.isTTY === true
  return {
    env: process.env,
    cwd: process.cwd(),
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    terminal,
    // Standard input is opened by being looked at, and few commands read it.
    get interactive() {
      return isatty(0)
    },
    columns: process.stdout.columns || 100,
    color: terminal && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
    async readInput() {
      let text = ''
      process.stdin.setEncoding('utf8')
      for await (const chunk of process.stdin) {
        text += chunk
        if (text.length > largestInput) throw new GwError('usage.invalid', 'standard input is larger than 64 KB')
      }
      return text
    },
    async askSecret(question) {
      const { isCancel, password } = await import('@clack/prompts')
      const answer = await password({ message: question, signal })
      if (isCancel(answer)) throw new GwError('cancelled', 'cancelled')
      return answer
    },
    async askLine(question) {
      const { createInterface } = await import('node:readline/promises')
      const reader = createInterface({ input: process.stdin, output: process.stdout })
      try {
        return await new Promise<string | null>((resolve, reject) => {
          reader.on('close', () => resolve(null))
          reader.question(question, { signal }).then(resolve, reject)
        })
      } finally {
        reader.close()
      }
    },
    signal,
  }
}
