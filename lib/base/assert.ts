import { GwError } from './error.ts'

/** States something that can only be false through a bug of ours. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new GwError('internal', message)
}
