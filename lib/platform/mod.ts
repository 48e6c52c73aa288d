/**
 * Platform: what Bun, Deno and Node do differently, behind one port.
 *
 * Owns the choice of SQLite binding, HTTP server and socket-level `fetch`, and the few file rules that secrets need
 * (private from the first byte, whole or not at all, never through a link). Everything all three runtimes share comes
 * straight from `node:` modules in {@link files}. Start at {@link Platform}.
 * @module
 */
export { detectPlatform } from './detect.ts'
export {
  ensurePrivateDir,
  placeFile,
  readBounded,
  removeFile,
  stageFile,
  statFile,
  tighten,
  writeAtomic,
} from './files.ts'
export { whoListens } from './listener.ts'
export { type Paths, paths } from './paths.ts'
export type {
  Dialer,
  Dialling,
  DialReply,
  HttpServer,
  Platform,
  ReplyHeaders,
  ServedPeer,
  SqliteConnection,
  SqliteStatement,
  Via,
} from './port.ts'
export { processAlive } from './alive.ts'
export { runCommand, type RunOptions, type RunResult } from './process.ts'
