import { createHash } from 'node:crypto'
import { canonicalJson, isObject, type Json, type JsonObject } from '../base/mod.ts'

/** One change of the config file. `undefined` takes the key away. */
export interface ConfigEdit {
  readonly path: readonly string[]
  readonly value: Json | undefined
}

/** A short name of a config text that differs when the text does; of a file that is not there, too. */
export const etagOf = (text: string | null): string =>
  createHash('sha256').update(text === null ? 'absent' : `text:${text}`).digest('hex').slice(0, 32)

/**
 * The fewest edits that make one document of another: a table is gone through key by key, anything else that differs is
 * set as a whole. `null` is the same as not there, as TOML has no nothing.
 */
export function documentEdits(before: JsonObject, after: JsonObject, at: readonly string[] = []): ConfigEdit[] {
  const gone = Object.keys(before).filter((key) => (after[key] ?? null) === null).map((key) => ({
    path: [...at, key],
    value: undefined,
  }))
  const kept = Object.entries(after).flatMap(([key, value]) => {
    if ((value ?? null) === null) return []
    const path = [...at, key]
    const old = Object.hasOwn(before, key) ? before[key] : undefined
    // An empty table says nothing but that it is there.
    const opens = isObject(value) && Object.keys(value).length > 0 && (old === undefined || isObject(old))
    if (opens) return documentEdits((old ?? {}) as JsonObject, value as JsonObject, path)
    const same = old !== undefined && canonicalJson(old) === canonicalJson(value as Json)
    return same ? [] : [{ path, value: value as Json }]
  })
  return [...gone, ...kept]
}
