import { GwError } from './error.ts'

/** Ends an exhaustive switch: reaching it means a union grew and this switch did not. */
export function assertNever(value: never, what: string): never {
  throw new GwError('internal', `unhandled ${what}: ${JSON.stringify(value)}`)
}

/** States something that can only be false through a bug of ours. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new GwError('internal', message)
}
