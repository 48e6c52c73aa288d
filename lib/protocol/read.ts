import { isObject, type Json, type JsonObject } from '../base/mod.ts'

/** A string, or `null` for anything else. */
export function stringOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

/** A number, or `null` for anything else. */
export function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null
}

/** A boolean, or `null` for anything else. */
export function booleanOf(value: unknown): boolean | null {
  return typeof value === 'boolean' ? value : null
}

/** A list of JSON objects: what is none is left out. */
export function objectsOf(value: unknown): JsonObject[] {
  return Array.isArray(value) ? (value.filter(isObject) as JsonObject[]) : []
}

/** A JSON object, or `undefined`. */
export function objectOf(value: unknown): JsonObject | undefined {
  return isObject(value) ? (value as JsonObject) : undefined
}

/** An object without its undefined members, so that it compares and prints as it will be sent. */
export function compact(value: Record<string, unknown>): JsonObject {
  const out: Record<string, Json> = {}
  for (const key in value) {
    const item = value[key]
    if (item !== undefined) out[key] = item as Json
  }
  return out
}

/** JSON that an upstream sent, or `undefined` for text that is none. */
export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether the data of an event is empty: a sign of life from some gateways. */
export function isBlank(data: string): boolean {
  return data.trim() === ''
}
