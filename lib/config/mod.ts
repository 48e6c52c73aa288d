/**
 * Config: what its owner decided.
 *
 * Owns the one schema, put together from the fragments that each room wrote for itself; the layers it is read from
 * (flag, environment, `./.lenv`, `./.env`, file, default); the place of every mistake in them; and edits of the file
 * that keep its comments. It holds no secret and decides nothing by itself. Start at {@link loadConfig}.
 * @module
 */
export type { OperationsPolicy } from './operations.ts'
export { type ConfigEdit, documentEdits, etagOf } from './document.ts'
export { foreignVariables } from './foreign.ts'
export { claudeFolders, compatibleUpstream, compatibleVariables } from './foreign-groups.ts'
export { type LiveConfig, liveConfig, type LiveConfigEvents } from './live.ts'
export { type ConfigSources, loadConfig, type LoadedConfig } from './load.ts'
export type { Config } from './sections.ts'
export { redactConfig, restoreSecrets } from './redact.ts'
export { openSnapshots } from './snapshots.ts'
export { type FileVariable, readVariables } from './dotenv.ts'
export { configJsonSchema, fromText, type Setting, settings } from './settings.ts'
export { readToml } from './toml.ts'
export { applying, type ConfigWritten, type TextChange, type WriteOptions } from './write.ts'
