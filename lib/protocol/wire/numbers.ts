/** A token count from outside: a non-negative integer of sane size, else `null`. A hostile count must not become money. */
export function count(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 1e12 ? value : null
}

/** How many answers to choose from are told apart: the most that anybody can ask for. */
export const maxChoices = 128

/** The member of an object from outside, or `undefined`. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

/** A string of an object from outside, or `null`. */
export function text(value: unknown, name: string): string | null {
  const item = member(value, name)
  return typeof item === 'string' ? item : null
}
