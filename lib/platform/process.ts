import { spawn } from 'node:child_process'
import { GwError } from '../base/mod.ts'

/** How to run a program. There is never a shell. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  /** Written to its standard input, which is then closed. */
  readonly input?: string
  readonly timeoutMs: number
  /** Bytes of each output that are kept; more ends the program. */
  readonly maxOutputBytes?: number
  readonly signal?: AbortSignal
}

/** How a program ended. */
export interface RunResult {
  /** Its exit status; `null` when it was killed. */
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
}

/**
 * Runs a program by argv under a deadline and with bounded output.
 *
 * @throws GwError `credential.unavailable` when it cannot be started; `cancelled` when the signal fires
 */
export function runCommand(argv: readonly string[], options: RunOptions): Promise<RunResult> {
  const [program, ...args] = argv
  if (!program) throw new GwError('usage.invalid', 'a command needs at least a program name')
  const limit = options.maxOutputBytes ?? 1024 * 1024
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: (options.env ?? process.env) as NodeJS.ProcessEnv,
      ...(options.cwd ? { cwd: options.cwd } : {}),
    })
    const out: Uint8Array[] = []
    const err: Uint8Array[] = []
    let outBytes = 0
    let errBytes = 0
    let timedOut = false
    let flooded = false
    const kill = () => {
      child.kill('SIGKILL')
      // A grandchild may hold the pipes open: what it would still say is not waited for.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    const timer = setTimeout(() => {
      timedOut = true
      kill()
    }, options.timeoutMs)
    const onAbort = () => kill()
    options.signal?.addEventListener('abort', onAbort, { once: true })
    const finish = () => {
      clearTimeout(timer)
      options.signal?.removeEventListener('abort', onAbort)
    }
    child.stdout.on('data', (chunk: Uint8Array) => {
      outBytes += chunk.length
      if (outBytes <= limit) out.push(chunk)
      else if (!flooded) {
        flooded = true
        kill()
      }
    })
    child.stderr.on('data', (chunk: Uint8Array) => {
      errBytes += chunk.length
      if (errBytes <= limit) err.push(chunk)
    })
    child.on('error', (cause: Error & { code?: string }) => {
      finish()
      const why = cause.code === 'ENOENT' ? 'not found on PATH' : cause.message
      reject(new GwError('credential.unavailable', `${program} could not be started: ${why}`, { cause }))
    })
    child.on('close', (status: number | null) => {
      finish()
      if (options.signal?.aborted) return reject(new GwError('cancelled', `${program} was cancelled`))
      if (flooded) return reject(new GwError('credential.unavailable', `${program} printed more than ${limit} bytes`))
      const decode = (parts: Uint8Array[]) => new TextDecoder().decode(Buffer.concat(parts))
      resolve({ status, stdout: decode(out), stderr: decode(err), timedOut })
    })
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
  })
}
