import { dirname } from 'node:path'
import { type Clock, GwError, isObject, type JsonObject } from '../base/mod.ts'
import { ensurePrivateDir, paths, placeFile, removeFile, stageFile, statFile } from '../platform/mod.ts'
import type { Storage, Writing } from '../storage/mod.ts'
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
  /** What is stored together with the file or not at all; it is asked again when the file changed meanwhile. */
  readonly with?: ((tx: Writing, draft: ConfigWritten) => Promise<void>) | undefined
}

/** What a text becomes. */
export type TextChange = (before: string) => string

/** Edits as one change of the text. */
export const applying = (edits: readonly ConfigEdit[]): TextChange => (before) =>
  edits.reduce(
    (text, edit) => edit.value === undefined ? unsetToml(text, edit.path) : setToml(text, edit.path, edit.value),
    before,
  )

/** Where a home keeps what a change needs beside the file. */
export interface ConfigHome {
  readonly storage: Storage
  readonly clock: Clock
}

/** How often a change is made anew because others keep changing the file. */
const rounds = 20

/**
 * Changes the config file, and what belongs to the change in the database, whole or not at all: reads the file, makes the
 * new text, validates all that would then be in force, and replaces the file. Writers of one home take turns and each
 * changes what the one before left, so none loses anything. With {@link applying}, comments and order stay.
 *
 * A process that ends in the middle leaves the file as it was or as it shall be; where the database did not come along,
 * {@link undoHalf} gives the old file back at the next start or write.
 *
 * @throws GwError `config.invalid` when the result would not be valid, `request.stale` when the file is not the one that
 * `ifMatch` names, `storage.failed`; the file and the database are then as they were
 */
export async function writeConfig(
  home: ConfigHome,
  sources: ConfigSources,
  change: TextChange,
  options: WriteOptions = {},
): Promise<ConfigWritten> {
  for (let round = 0; round < rounds; round++) {
    const { there, ...draft } = await drafted(sources, change, options)
    if (draft.after === draft.before && !options.with) return draft
    await ensurePrivateDir(dirname(draft.path))
    if (await replaced(home, draft, there, options.with)) return draft
  }
  throw new GwError('request.conflict', 'the config file keeps changing while it is being edited', {
    hint: 'see what else writes it, and try again',
  })
}

/**
 * What a change of the config file would come to; nothing is written.
 *
 * @throws GwError as {@link writeConfig}
 */
export async function draftConfig(
  { storage }: ConfigHome,
  sources: ConfigSources,
  change: TextChange,
  options: WriteOptions = {},
): Promise<ConfigWritten> {
  const { there: _, ...draft } = await drafted(sources, change, options)
  if (!options.with) return draft
  const undo = new Error('only a look')
  await storage.write(async (tx) => {
    await options.with?.(tx, draft)
    throw undo
  }).catch((error: unknown) => {
    if (error !== undo) throw error
  })
  return draft
}

async function drafted(sources: ConfigSources, change: TextChange, { ifMatch }: WriteOptions) {
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
  return { there, path, before, after, loaded: await loadConfig({ ...sources, file: path }, after) }
}

/** Whether the draft took the place of the text it was made from; false where another text stands there by now. */
async function replaced(
  { storage, clock }: ConfigHome,
  draft: ConfigWritten,
  there: string | null,
  also: WriteOptions['with'],
): Promise<boolean> {
  const { path, before, after } = draft
  const changed = new Error('the file changed meanwhile')
  const temp = after === before ? null : await stageFile(path, after)
  let half: Half | null = null
  try {
    if (temp !== null && also) {
      half = { path, after: etagOf(after), backup: there === null ? null : await stageFile(path, there) }
      await holdingTurn(storage, (tx) => note(tx, half!, clock.now()))
    }
    await storage.write(async (tx) => {
      await takeTurn(tx)
      if (half === null) await undo(tx)
      else if (JSON.stringify(await halfOf(tx)) !== JSON.stringify(half)) throw changed
      if (etagOf(await readConfigFile(path)) !== etagOf(there)) throw changed
      await also?.(tx, draft)
      if (temp !== null) await placeFile(temp, path)
      if (half !== null) await forget(tx)
    })
    if (half?.backup) await removeFile(half.backup)
    return true
  } catch (error) {
    if (temp !== null) await removeFile(temp)
    // Where the database cannot be reached now, the next who can does it.
    if (half !== null) await undoHalf(storage).catch(() => {})
    if (half?.backup && error === changed) await removeFile(half.backup)
    if (error === changed) return false
    throw error
  }
}

/** A change of the file that belongs to one of the database: noted before both, struck out by the second. */
interface Half {
  readonly path: string
  /** {@link etagOf} the new text. */
  readonly after: string
  /** A copy of the old text; `null` when there was no file. */
  readonly backup: string | null
}

const halfFact = 'config.half_written'

/** Undoes what a process that ended had changed in the file alone. @returns whether there was something */
export async function undoHalf(storage: Storage): Promise<boolean> {
  if (storage.standIn || await halfOf(storage.db) === null) return false
  return await holdingTurn(storage, () => Promise.resolve(true))
}

/** Takes the write lock of the database, which the system gives back even for a process that is killed. */
const takeTurn = (tx: Writing) => tx.updateTable('facts').set({ key: halfFact }).where('key', '=', halfFact).execute()

const holdingTurn = <T>(storage: Storage, work: (tx: Writing) => Promise<T>): Promise<T> =>
  storage.write(async (tx) => {
    await takeTurn(tx)
    await undo(tx)
    return await work(tx)
  })

async function undo(tx: Writing): Promise<void> {
  const half = await halfOf(tx)
  if (half === null) return
  const { path, after, backup } = half
  // A hand that wrote the file since then had the last word.
  const ours = etagOf(await readConfigFile(path)) === after
  if (!ours && backup !== null) await removeFile(backup)
  if (ours && backup === null) await removeFile(path)
  if (ours && backup !== null && await statFile(backup)) await placeFile(backup, path)
  await forget(tx)
}

async function halfOf(db: Pick<Writing, 'selectFrom'>): Promise<Half | null> {
  const row = await db.selectFrom('facts').select('value').where('key', '=', halfFact).executeTakeFirst()
  const value: unknown = row ? JSON.parse(row.value) : null
  return isObject(value) ? value as unknown as Half : null
}

async function note(tx: Writing, half: Half, now: number): Promise<void> {
  await tx.insertInto('facts').values({ key: halfFact, value: JSON.stringify(half), updated_ms: now }).execute()
}

const forget = (tx: Writing) => tx.deleteFrom('facts').where('key', '=', halfFact).execute()

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
