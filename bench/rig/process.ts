import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism, cpus, release } from 'node:os'

/** Clock ticks per second of `/proc/<pid>/stat`: 100 on every Linux this runs on. */
const ticksPerSecond = 100

/** A program that runs pinned to a core until it is stopped. */
export interface Running extends AsyncDisposable {
  readonly pid: number
  /** Lines of its standard output, as they come. */
  readonly lines: AsyncIterator<string>
  /** Its standard error so far; bounded. */
  errors(): string
  /** CPU time of it and its children, microseconds; 10 ms steps. */
  cpuMicros(): number
  /** Resident memory of it and its children, bytes. */
  residentBytes(): number
  /** Open descriptors of it and its children. */
  descriptors(): number
  readonly exited: Promise<number>
  stop(): Promise<void>
}

/** Whether programs can be pinned: Linux with `taskset` and two cores. */
export const pinned: boolean = availableParallelism() >= 2 && Bun.which('taskset') !== null

/** One line about when and where a bench ran. */
export function describeMachine(): string {
  const place = pinned ? 'targets on core 0, load on core 1' : 'NOT pinned to cores: read ratios with care'
  const machine = `${cpus()[0]?.model ?? 'unknown CPU'} × ${availableParallelism()}, kernel ${release()}`
  return `${new Date().toISOString()}  ${machine}, Bun ${Bun.version}; ${place}`
}

/** Environment for every program of a bench: no proxy, no keys, and Bun's cap on requests lifted. */
export function cleanEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: process.env['HOME'] ?? '/tmp',
    LANG: 'C.UTF-8',
    BUN_CONFIG_MAX_HTTP_REQUESTS: '65336',
    ...extra,
  }
}

/** Starts a program on a core. */
export function start(
  command: readonly string[],
  options: { core: 0 | 1; cwd?: string; env?: Readonly<Record<string, string>> },
): Running {
  const argv = pinned ? ['taskset', '-c', String(options.core), ...command] : [...command]
  const child = Bun.spawn(argv, {
    env: cleanEnvironment(options.env),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  let said = ''
  void (async () => {
    const decoder = new TextDecoder()
    for await (const bytes of child.stderr) said = (said + decoder.decode(bytes)).slice(-4000)
  })()
  async function stop(): Promise<void> {
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), 3000)
    await child.exited
    clearTimeout(timer)
  }
  return {
    pid: child.pid,
    lines: linesOf(child.stdout),
    errors: () => said,
    cpuMicros: () => sum(child.pid, cpuMicros),
    residentBytes: () => sum(child.pid, residentBytes),
    descriptors: () => sum(child.pid, (pid) => readdirSync(`/proc/${pid}/fd`).length),
    exited: child.exited,
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let held = ''
  for await (const bytes of stream) {
    held += decoder.decode(bytes, { stream: true })
    const lines = held.split('\n')
    held = lines.pop()!
    yield* lines
  }
  if (held) yield held
}

function sum(root: number, of: (pid: number) => number): number {
  return family(root).reduce((total, pid) => total + of(pid), 0)
}

/** A process and its descendants. `taskset` replaces itself, so the root is the program. */
function family(root: number): number[] {
  const path = `/proc/${root}/task`
  if (!existsSync(path)) return []
  const children = readdirSync(path).flatMap((task) => {
    try {
      return readFileSync(`${path}/${task}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
    } catch {
      return []
    }
  })
  return [root, ...children.flatMap(family)]
}

function cpuMicros(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * (1_000_000 / ticksPerSecond)
}

function residentBytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return Number(line?.[1] ?? 0) * 1024
}

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): number {
  const server = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } })
  const { port } = server
  server.stop(true)
  return port
}

/** Resolves with the milliseconds until `url` answers below 500, or rejects after `ms`. */
export async function answers(url: string, ms: number, running?: Running): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    try {
      const reply = await fetch(url, { signal: AbortSignal.timeout(1000) })
      await reply.arrayBuffer()
      if (reply.status < 500) return performance.now() - startedAt
    } catch {
      // Not listening yet.
    }
    if (performance.now() - startedAt > ms) {
      throw new Error(`${url} did not answer within ${ms} ms\n${running?.errors() ?? ''}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
