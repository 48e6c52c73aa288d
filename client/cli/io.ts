import { fstatSync, writeSync } from 'node:fs'
import { GwError, once } from '../../lib/base/mod.ts'

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
  /** All of standard input, at most 64 KB or so many bytes. */
  readInput(mostBytes?: number): Promise<string>
  /** A secret typed by a person, not shown. */
  askSecret(question: string): Promise<string>
  /** A line typed by a person; `null` at the end of the input. */
  askLine(question: string): Promise<string | null>
  /** Ends with Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal
}

const largestInput = 64 * 1024
/** As long as a person may take who logs in with the program that pipes something in. */
const inputMs = 10 * 60_000

/** A reader that went away (`gw … | head`) is no error; a disk that is full is one. */
function outputFailed(error: Error & { readonly code?: string }): never {
  if (error.code === 'EPIPE') process.exit(0)
  process.stderr.write(`gw: standard output cannot be written: ${error.message}\n`)
  process.exit(1)
}

/**
 * Standard output, written without making a stream of it: that costs a command that prints once and ends a tenth of its
 * time. What the reader cannot take at once goes by the stream, which waits, and so does all that follows.
 */
function standardOutput(): { write(text: string): void; readonly stream: () => NodeJS.WriteStream } {
  let opened: NodeJS.WriteStream | null = null
  const stream = () => opened ??= process.stdout.on('error', outputFailed)
  return {
    stream,
    write(text) {
      if (opened) return writeTo(opened, text)
      const bytes = new TextEncoder().encode(text)
      let written = 0
      try {
        while (written < bytes.length) written += writeSync(1, bytes, written)
      } catch (error) {
        if ((error as { code?: string }).code !== 'EAGAIN') outputFailed(error as Error)
        writeTo(stream(), bytes.subarray(written))
      }
    },
  }
}

/** Some runtimes say at once what others say later. */
function writeTo(stream: NodeJS.WriteStream, piece: string | Uint8Array): void {
  try {
    stream.write(piece)
  } catch (error) {
    outputFailed(error as Error)
  }
}

/** The standard streams of this process. Each is opened by being looked at, and many commands look at few. */
export function processIo(signal: AbortSignal): CliIo & { close(): void } {
  // Only a device can be a terminal, and what that takes to tell is not loaded for a pipe or a file.
  const output = standardOutput()
  const closing = new AbortController()
  const typedAhead: string[] = []
  const isTerminal = once(() => fstatSync(1).isCharacterDevice() && output.stream().isTTY === true)
  return {
    env: process.env,
    cwd: process.cwd(),
    out: output.write,
    err: (text) => void process.stderr.write(text),
    get terminal() {
      return isTerminal()
    },
    get interactive() {
      return process.getBuiltinModule('node:tty').isatty(0)
    },
    get columns() {
      return isTerminal() && process.stdout.columns || 100
    },
    get color() {
      return isTerminal() && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
    },
    async readInput(mostBytes = largestInput) {
      let text = ''
      const { stdin } = process
      const close = () => void stdin.destroy()
      closing.signal.addEventListener('abort', close, { once: true })
      const late = setTimeout(() => {
        const hint = 'pipe something in that ends, or close it: gw … < /dev/null'
        stdin.destroy(new GwError('usage.invalid', 'nobody ended standard input in 10 minutes', { hint }))
      }, inputMs)
      try {
        stdin.setEncoding('utf8')
        for await (const chunk of stdin) {
          text += chunk
          if (text.length > mostBytes) {
            const size = mostBytes < 1_048_576 ? `${mostBytes / 1_024} KB` : `${mostBytes / 1_048_576} MB`
            throw new GwError('usage.invalid', `standard input is larger than ${size}`)
          }
        }
        return text
      } finally {
        clearTimeout(late)
        closing.signal.removeEventListener('abort', close)
      }
    },
    async askSecret(question) {
      if (process.env.TERM === 'dumb') return await askPlainly(question)
      const { isCancel, password } = await import('@clack/prompts')
      const answer = await password({ message: question, signal })
      if (isCancel(answer)) throw new GwError('cancelled', 'cancelled')
      return answer
    },
    async askLine(question) {
      const ahead = typedAhead.shift()
      if (ahead !== undefined) {
        output.write(`${question}${ahead}\n`)
        return ahead
      }
      signal.throwIfAborted()
      // At the end of the input a terminal that is not let go of keeps Node from ending.
      closing.signal.addEventListener('abort', () => void process.stdin.destroy(), { once: true })
      const { createInterface } = await import('node:readline')
      const reader = createInterface({ input: process.stdin, output: process.stdout, prompt: question })
      const { promise, resolve, reject } = Promise.withResolvers<string | null>()
      const giveUp = () => reject(new GwError('cancelled', 'cancelled'))
      signal.addEventListener('abort', giveUp, { once: true })
      let lines = 0
      // What was pasted, or typed before it was asked for, comes in one piece: all of it is read before the reader ends.
      reader.on('line', (line) => {
        if (lines++ > 0) typedAhead.push(line)
        else setImmediate(() => resolve(line))
      })
      reader.on('SIGINT', giveUp)
      reader.on('close', () => {
        // The shell goes on in a line of its own.
        if (lines === 0 && reader.terminal) output.write('\n')
        resolve(null)
      })
      reader.prompt()
      try {
        return await promise
      } finally {
        signal.removeEventListener('abort', giveUp)
        reader.close()
      }
    },
    signal,
    close: () => closing.abort(),
  }
}

/** Asks without moving the cursor, which some terminals cannot: nothing of the answer is shown. */
async function askPlainly(question: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(`${question} `)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  let text = ''
  try {
    for await (const chunk of stdin) {
      for (const key of chunk as unknown as string) {
        if (key === '\x03' || key === '\x04') throw new GwError('cancelled', 'cancelled')
        if (key === '\r' || key === '\n') return text
        text = key === '\x7f' || key === '\b' ? text.slice(0, -1) : text + key
      }
    }
    return text
  } finally {
    stdin.setRawMode(false)
    stderr.write('\n')
  }
}
