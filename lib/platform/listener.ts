import { readdir, readFile, readlink } from 'node:fs/promises'

/** A program that listens on a port of this machine. */
export interface Listener {
  readonly pid: number
  /** As the system calls it: `python3`. */
  readonly program: string
  /** The environment it was started with. */
  readonly env: Readonly<Record<string, string>>
}

/**
 * Who listens on a TCP port of this machine. `null` where the system does not say: it is asked on Linux only, and tells
 * of the user's own processes.
 */
export async function whoListens(port: number): Promise<Listener | null> {
  const tables = await Promise.all(['/proc/net/tcp', '/proc/net/tcp6'].map(textOf))
  const sockets = new Set(tables.flatMap((table) => listening(table, port)).map((inode) => `socket:[${inode}]`))
  if (sockets.size === 0) return null
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  for (const pid of pids) {
    if (!await holds(pid, sockets)) continue
    const [program, environ] = await Promise.all([textOf(`/proc/${pid}/comm`), textOf(`/proc/${pid}/environ`)])
    const pairs = environ.split('\0').map((line) => line.split(/=(.*)/s, 2) as [string, string?])
    return {
      pid: Number(pid),
      program: program.trim(),
      env: Object.fromEntries(pairs.map(([name, value = '']) => [name, value])),
    }
  }
  return null
}

/** The inodes of the sockets that listen on a port. @see man 5 proc_pid_net */
function listening(table: string, port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return table.split('\n').map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(wanted) && state === '0A')
    .map((fields) => fields[9]!)
}

async function holds(pid: string, sockets: ReadonlySet<string>): Promise<boolean> {
  const folder = `/proc/${pid}/fd`
  const open = await readdir(folder).catch(() => [])
  const targets = await Promise.all(open.map((fd) => readlink(`${folder}/${fd}`).catch(() => '')))
  return targets.some((target) => sockets.has(target))
}

const textOf = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
