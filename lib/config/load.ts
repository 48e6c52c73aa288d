import { join } from 'node:path'
import { stat } from 'node:fs/promises'
import { canonicalJson, GwError, isObject, type Json, nearest, once } from '../base/mod.ts'
import { isLoginVariable } from '../credentials/look.ts'
import { paths, readBounded } from '../platform/look.ts'
import { readVariables } from './dotenv.ts'
import { foreignVariables } from './foreign.ts'
import { foreignGroups } from './foreign-groups.ts'
import { configError, type ConfigProblem } from './problem.ts'
import type { Config } from './sections.ts'
import { fromText, literal, type Setting, settings } from './settings.ts'
import { lineFinder, lineOf, readToml, type TomlMap } from './toml.ts'
import { validateConfig } from './validate.ts'

/** Where a value was written. */
export interface ConfigOrigin {
  readonly layer: 'flag' | 'environment' | '.lenv' | '.env' | 'file' | 'default'
  /** For people: `--server-port`, `GW_SERVER_PORT`, `/home/me/.config/gw/config.toml:12`. */
  readonly from: string
}

/** Everything a configuration is made from. */
export interface ConfigSources {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Folder whose `.lenv` and `.env` count. */
  readonly cwd: string
  /** Settings from the command line, by path. A text is read as the setting's type wants. */
  readonly flags?: Readonly<Record<string, Json>>
  /** The config file, when the command line names one. */
  readonly file?: string
}

/** A valid configuration and how it came about. */
export interface LoadedConfig {
  readonly config: Config
  /** The config file, whether it exists or not. */
  readonly path: string
  readonly exists: boolean
  /** The variables in force: the process's own, over `./.lenv`, over `./.env`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where each setting that is not a default was written, by path. */
  readonly origins: ReadonlyMap<string, ConfigOrigin>
  /** Differs whenever anything that was set does, secrets included. */
  readonly digest: string
  /** What looks like a mistake but stops nothing. */
  readonly warnings: readonly string[]
}

/** `GW_` variables that are no settings. */
const ownVariables = new Set(['GW_HOME', 'GW_CONFIG', 'GW_URL', 'GW_TOKEN', 'GW_RUNTIME'])

interface Assignment {
  readonly path: readonly string[]
  readonly value: Json
  readonly where: string
  readonly line: number | null
  readonly origin: ConfigOrigin
}

/**
 * The configuration that flags, environment, `./.lenv`, `./.env` and the file make together, each winning over the
 * next, over the defaults. Nothing is written.
 *
 * @param draft the text that the file is about to have, in place of the one it has
 * @throws GwError `config.invalid` with every problem and its place, `config.unreadable`
 */
export async function loadConfig(sources: ConfigSources, draft?: string): Promise<LoadedConfig> {
  const problems: ConfigProblem[] = []
  const warnings: string[] = []
  const path = sources.file ?? paths(sources.env).config
  const text = draft ?? await readConfigFile(path)
  if (text === null && (sources.file !== undefined || sources.env.GW_CONFIG)) {
    throw new GwError('config.unreadable', `there is no config file at ${path}`, {
      hint: 'check --config and GW_CONFIG, or make the file; an empty one is valid',
    })
  }
  const file = readToml(text ?? '')
  if (!file.ok) {
    throw configError([{ where: path, line: file.line, key: '', reason: `column ${file.column}: ${file.reason}` }])
  }
  const table = settingTable()
  const env: Record<string, string | undefined> = {}
  const assignments: Assignment[] = []
  const places = new Map<string, Place>()
  for (const [name, separator] of [['.env', '='], ['.lenv', ':']] as const) {
    const at = join(sources.cwd, name)
    const content = await readBounded(at, 1024 * 1024)
    if (content === null) continue
    const read = readVariables(content, separator)
    for (const fault of read.faults) warnings.push(`${at}:${fault.line}: ${fault.reason}; the line is ignored`)
    for (const { name: variable, value } of read.variables) env[variable] = value
    const lines = new Map(read.variables.map((entry) => [entry.name, entry.line]))
    const values = Object.fromEntries(read.variables.map((entry) => [entry.name, entry.value]))
    const placeOf = (variable: string): Place => ({
      where: at,
      line: lines.get(variable) ?? null,
      origin: { layer: name, from: `${at}:${lines.get(variable)} ${variable}` },
    })
    for (const variable of lines.keys()) places.set(variable, placeOf(variable))
    assignments.push(...fromVariables(values, table, placeOf, warnings))
  }
  for (const [name, value] of Object.entries(sources.env)) if (value !== undefined) env[name] = value
  const inEnvironment = (variable: string): Place => ({
    where: 'environment',
    line: null,
    origin: { layer: 'environment', from: variable },
  })
  assignments.push(...fromVariables(sources.env, table, inEnvironment, warnings))
  // Variables that mean something together may stand in different layers; gw's own single ones win over them.
  assignments.unshift(
    ...foreignGroups((variable) => env[variable]).map(({ path, value, variable }) => ({
      path,
      value,
      ...(sources.env[variable] === undefined ? places.get(variable) : undefined) ?? inEnvironment(variable),
    })),
  )
  for (const [key, value] of Object.entries(sources.flags ?? {})) {
    const setting = table().byPath.get(key)
    assignments.push({
      path: key.split('.'),
      value: typeof value === 'string' ? setting ? fromText(setting.type, value) : literal(value) ?? value : value,
      where: 'command line',
      line: null,
      origin: { layer: 'flag', from: setting?.flag ?? `--set ${key}` },
    })
  }

  // What is only set in the file stands as it was read: a start copies nothing.
  const tree = (assignments.length === 0 ? file.value : structuredClone(file.value)) as Record<string, Json>
  const placed = new Map<string, Assignment>()
  for (const assignment of assignments) {
    if (!assign(tree, assignment.path, assignment.value)) {
      problems.push(problem(assignment, `${assignment.path.slice(0, -1).join('.')} is not a table`))
      continue
    }
    const key = assignment.path.join('.')
    placed.delete(key)
    placed.set(key, assignment)
  }

  const validated = await validateConfig(tree)
  if (!validated.ok) {
    for (const issue of validated.issues) {
      const at = [...issue.path]
      let assignment: Assignment | undefined
      for (let n = at.length; n > 0 && !assignment; n--) assignment = placed.get(at.slice(0, n).join('.'))
      const found = { key: at.join('.'), reason: issue.reason }
      problems.push(
        assignment
          ? problem(assignment, issue.reason, found.key)
          : { ...found, where: path, line: lineOf(file.map(), at) },
      )
    }
  }
  if (!validated.ok || problems.length > 0) throw configError(problems)
  const origins = once(() => {
    const found = fileOrigins(file.value as Record<string, Json>, file.map(), path)
    for (const [key, { origin }] of placed) {
      for (const known of [...found.keys()]) if (known.startsWith(`${key}.`)) found.delete(known)
      found.set(key, origin)
    }
    return found
  })
  const digest = once(() => digestOf(tree))
  return {
    config: validated.config,
    path,
    exists: text !== null,
    env,
    get origins() {
      return origins()
    },
    get digest() {
      return digest()
    },
    warnings,
  }
}

/** The text of a config file, or `null`. Refuses what anybody could have written, and what is not UTF-8. */
export async function readConfigFile(path: string): Promise<string | null> {
  const text = await readBounded(path)
  if (text === null) return null
  const { mode } = await stat(path)
  if (process.platform !== 'win32' && (mode & 0o002) !== 0) {
    throw new GwError('config.unreadable', `${path} can be written by everybody on this machine`, {
      hint: `a config names programs to run: chmod 600 ${path}`,
    })
  }
  if (text.includes('\ufffd') || text.includes('\0')) {
    throw new GwError('config.unreadable', `${path} is not UTF-8 text`, { hint: 'save it as UTF-8' })
  }
  return text
}

function digestOf(tree: Json): string {
  // Loaded here: a command that only reads its configuration asks for no digest.
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha256').update(canonicalJson(tree)).digest('hex')
}

interface SettingTable {
  readonly byPath: ReadonlyMap<string, Setting>
  readonly byVariable: ReadonlyMap<string, Setting>
}

/** Drawn up by its first use: most commands set nothing by flag or variable, and should start at once. */
function settingTable(): () => SettingTable {
  let table: SettingTable | null = null
  return () => {
    if (table) return table
    const all = settings()
    return table = {
      byPath: new Map(all.map((setting) => [setting.path, setting])),
      byVariable: new Map(all.map((setting) => [setting.variable, setting])),
    }
  }
}

type Place = Pick<Assignment, 'where' | 'line' | 'origin'>

/** What variables set: other gateways' names first, so that gw's own name wins where both are given. */
function fromVariables(
  env: Readonly<Record<string, string | undefined>>,
  table: () => SettingTable,
  place: (variable: string) => Place,
  warnings: string[],
): Assignment[] {
  const out: Assignment[] = []
  for (const { variable, path, read } of foreignVariables) {
    const text = env[variable]
    if (text === undefined || text === '' || path === null) continue
    const setting = table().byPath.get(path)
    if (!setting) continue
    const value = read ? read(text) : fromText(setting.type, text)
    if (value !== undefined) out.push({ path: path.split('.'), value, ...place(variable) })
  }
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('GW_') || text === undefined || ownVariables.has(variable)) continue
    if (isLoginVariable(variable)) continue
    const setting = table().byVariable.get(variable)
    const nested = /^GW_([A-Z]+)__(.+)$/.exec(variable)
    if (setting) out.push({ path: setting.path.split('.'), value: fromText(setting.type, text), ...place(variable) })
    else if (nested) {
      const path = [nested[1]!, ...nested[2]!.split('__')].map((part) => part.toLowerCase())
      out.push({ path, value: literal(text) ?? text, ...place(variable) })
    } else {
      const [meant] = nearest(variable, table().byVariable.keys(), 1)
      warnings.push(`${place(variable).origin.from} is no setting${meant ? `; did you mean ${meant}?` : ''}`)
    }
  }
  return out
}

/** Puts a value at a path; false when something on the way is no table. */
function assign(tree: Record<string, Json>, path: readonly string[], value: Json): boolean {
  let at: Record<string, Json | undefined> = tree
  for (const step of path.slice(0, -1)) {
    const next = Object.hasOwn(at, step) ? at[step] : undefined
    if (next === undefined) {
      const made: Record<string, Json> = {}
      Object.defineProperty(at, step, { value: made, enumerable: true, configurable: true, writable: true })
      at = made
    } else if (isObject(next)) at = next as Record<string, Json>
    else return false
  }
  const last = path[path.length - 1]!
  Object.defineProperty(at, last, { value, enumerable: true, configurable: true, writable: true })
  return true
}

/** A step of a dotted key, quoted where it holds what would part it. */
const stepText = (step: string): string => /[."]/.test(step) ? JSON.stringify(step) : step

function fileOrigins(tree: Record<string, Json>, map: TomlMap, path: string): Map<string, ConfigOrigin> {
  const line = lineFinder(map)
  const out = new Map<string, ConfigOrigin>()
  const visit = (value: Json, at: readonly string[]) => {
    if (isObject(value)) {
      for (const [key, item] of Object.entries(value)) visit(item as Json, [...at, key])
    } else out.set(at.map(stepText).join('.'), { layer: 'file', from: `${path}:${line(at) ?? 1}` })
  }
  visit(tree, [])
  return out
}

const problem = (at: Assignment, reason: string, key = at.path.join('.')): ConfigProblem => ({
  where: at.where,
  line: at.line,
  key,
  reason: at.where === 'environment' || at.where === 'command line' ? `${reason} (from ${at.origin.from})` : reason,
})
