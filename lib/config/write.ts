import { dirname } from 'node:path'
import { GwError, type JsonObject } from '../base/mod.ts'
import { ensurePrivateDir, paths, writeAtomic } from '../platform/mod.ts'
import { type ConfigEdit, etagOf } from './document.ts'
import { setToml, unsetToml } from './edit.ts'
import { type ConfigSources, loadConfig, type LoadedConfig, readConfigFile } from './load.ts'
import { configError, type ConfigProblem } from './problem.ts'
import { lineOf, readToml } from './toml.ts'
import { validateConfig } from './validate.ts'

/** What a change of the config file came to. */
export interface ConfigWritten {
  readonly path: string
  readonly before: string
  readonly after: string
  readonly loaded: LoadedConfig
}

/** What a change insists on. */
export interface WriteOptions {
  /** The {@link etagOf} of the text that the change was made for; another text on disk refuses it. */
  readonly ifMatch?: string | undefined
}

/** What a text becomes. */
export type TextChange = (before: string) => string

/** Edits as one change of the text. */
export const applying = (edits: readonly ConfigEdit[]): TextChange => (before) =>
  edits.reduce(
    (text, edit) => edit.value === undefined ? unsetToml(text, edit.path) : setToml(text, edit.path, edit.value),
    before,
  )

/**
 * Changes the config file: reads it, makes the new text, validates all that would then be in force and only then replaces
 * the file, whole or not at all. With {@link applying}, comments and order stay.
 *
 * @throws GwError `config.invalid` when the result would not be valid, `request.stale` when the file is not the one that
 * `ifMatch` names, `request.conflict` when it changed meanwhile; the file is then as it was
 */
export async function writeConfig(
  sources: ConfigSources,
  change: TextChange,
  options: WriteOptions = {},
): Promise<ConfigWritten> {
  const drafted = await draftConfig(sources, change, options)
  const { path, before, after } = drafted
  await ensurePrivateDir(dirname(path))
  if (await readConfigFile(path).then((text) => text ?? '') !== before) {
    throw new GwError('request.conflict', `${path} changed while it was being edited`, { hint: 'try again' })
  }
  if (after !== before) await writeAtomic(path, after)
  return drafted
}

/**
 * What a change of the config file would come to; nothing is written.
 *
 * @throws GwError as {@link writeConfig}
 */
export async function draftConfig(
  sources: ConfigSources,
  change: TextChange,
  { ifMatch }: WriteOptions = {},
): Promise<ConfigWritten> {
  const path = sources.file ?? paths(sources.env).config
  const there = await readConfigFile(path)
  if (ifMatch !== undefined && ifMatch !== etagOf(there)) {
    throw new GwError('request.stale', `${path} is not what this change was made for`, {
      hint: 'read it again, make the change again',
      details: { etag: etagOf(there) },
    })
  }
  const before = there ?? ''
  const after = change(before)
  await checkText(path, after)
  return { path, before, after, loaded: await loadConfig({ ...sources, file: path }, after) }
}

/**
 * Validates a config text by itself, without environment and flags.
 *
 * @throws GwError `config.invalid`
 */
async function checkText(where: string, text: string): Promise<void> {
  const reading = readToml(text)
  if (!reading.ok) {
    throw configError([{ where, line: reading.line, key: '', reason: `column ${reading.column}: ${reading.reason}` }])
  }
  const validated = await validateConfig(reading.value as JsonObject)
  if (validated.ok) return
  throw configError(
    validated.issues.map(({ path, reason }): ConfigProblem => ({
      where,
      line: lineOf(reading.map(), path),
      key: path.join('.'),
      reason,
    })),
  )
}
