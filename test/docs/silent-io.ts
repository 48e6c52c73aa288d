import type { CliIo } from '../../client/cli/io.ts'

/** A terminal at which nobody sits. */
export const silentIo: CliIo = {
  env: {},
  cwd: '/',
  out: () => {},
  err: () => {},
  terminal: false,
  interactive: false,
  columns: 100,
  color: false,
  readInput: () => Promise.resolve(''),
  askSecret: () => Promise.resolve(''),
  askLine: () => Promise.resolve(null),
  signal: new AbortController().signal,
}
