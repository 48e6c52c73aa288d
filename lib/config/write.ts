import { dirname } from 'node:path'
import { GwError, type Json } from '../base/mod.ts'
import { ensurePrivateDir, paths, writeAtomic } from '../platform/mod.ts'
import { setToml, unsetToml } from './edit.ts'
import { type ConfigSources, loadConfig, type LoadedConfig, readConfigFile } from './load.ts'
import { plainIssues } from './issues.ts'
import { configError, type ConfigProblem } from './problem.ts'
import { configSchema } from './schema.ts'
import { lineOf, readToml } from './toml.ts'

/** One change of the config file. `undefined` takes the key away. */
export interface ConfigEdit {
  readonly path: readonly string[]
  readonly value: Json | undefined
}

/** What a change of the config file came to. */
export interface ConfigWritten {
  readonly path: string
  readonly before: string
  readonly after: string
  readonly loaded: LoadedConfig
}

/**
 * Changes keys of the config file: reads it, edits the text in place, validates the result and only then replaces the
 * file, whole or not at all. Comments and order stay.
 *
 * @throws GwError `config.invalid` when the result would not be valid; the file is then as it was
 */
export async function writeConfig(sources: ConfigSources, edits: readonly ConfigEdit[]): Promise<ConfigWritten> {
  const { path, before, after } = await editedConfig(sources, edits)
  await ensurePrivateDir(dirname(path))
  if (await readConfigFile(path).then((text) => text ?? '') !== before) {
    throw new GwError('request.conflict', `${path} changed while it was being edited`, { hint: 'try again' })
  }
  if (after !== before) await writeAtomic(path, after)
  return { path, before, after, loaded: await loadConfig({ ...sources, file: path }) }
}

/**
 * What changes of the config file would come to; nothing is written.
 *
 * @throws GwError `config.invalid` when the result would not be valid
 */
export async function editedConfig(
  sources: ConfigSources,
  edits: readonly ConfigEdit[],
): Promise<Omit<ConfigWritten, 'loaded'>> {
  const path = sources.file ?? paths(sources.env).config
  const before = await readConfigFile(path) ?? ''
  const after = edits.reduce(
    (text, edit) => edit.value === undefined ? unsetToml(text, edit.path) : setToml(text, edit.path, edit.value),
    before,
  )
  checkText(path, after)
  return { path, before, after }
}

/**
 * Validates a config text by itself, without environment and flags.
 *
 * @throws GwError `config.invalid`
 */
function checkText(where: string, text: string): void {
  const reading = readToml(text)
  if (!reading.ok) {
    throw configError([{ where, line: reading.line, key: '', reason: `column ${reading.column}: ${reading.reason}` }])
  }
  const parsed = configSchema.safeParse(reading.value)
  if (parsed.success) return
  throw configError(
    plainIssues(parsed.error).map(({ path, reason }): ConfigProblem => ({
      where,
      line: lineOf(reading.map, path),
      key: path.join('.'),
      reason,
    })),
  )
}
