import type { Json, JsonObject } from '../base/mod.ts'
import { isHarmless, joinPath } from './ledger.ts'
import { objectOf } from './read.ts'

/** What the ordinary case is called in fields of answers that tell of another. */
const ordinary: Readonly<Record<string, readonly Json[]>> = {
  service_tier: ['default', 'standard'],
  inference_geo: ['global', 'not_available'],
  trafficType: ['ON_DEMAND'],
}

/** Token counts by kind of input, all of which is text, as the sum of them says. */
function isAllText(value: Json): boolean {
  return Array.isArray(value) && value.length === 1 && objectOf(value[0])?.modality === 'TEXT'
}

/** Whether a field of an answer tells nothing: empty, nothing of something, or what is the case anyway. */
function tellsNothing(key: string, value: Json | undefined): boolean {
  if (value === 0 || value === '' || value === false || ordinary[key]?.includes(value as Json)) return true
  if (isHarmless(key, value)) return true
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return isAllText(value)
  return Object.entries(value).every(([name, item]) => tellsNothing(name, item))
}

/**
 * Adds the paths of what an answer says beyond the known fields of an object in it: the caller does not get to see it.
 *
 * Known is what is read, and what every answer of gw has of its own: its id, its time, its model, its maker's mark, and
 * what it repeats of the request.
 */
export function addUnread(
  value: JsonObject | undefined,
  known: ReadonlySet<string>,
  path: string,
  out: Set<string>,
): void {
  for (const key in value) if (!known.has(key) && !tellsNothing(key, value[key])) out.add(joinPath(path, key))
}

/** Whether {@link addUnread} has nothing to look at, for those who would have to make the path first. */
export function isAllRead(value: JsonObject, known: ReadonlySet<string>): boolean {
  for (const key in value) if (!known.has(key)) return false
  return true
}
