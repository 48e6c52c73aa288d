import { GwError, nearest } from '../base/mod.ts'
import type { OperationContext } from './context.ts'
import { callableNames } from './describe.ts'
import { fromTrpc } from './errors.ts'
import { callerOf } from './operation.ts'
import { operations } from './router.ts'

/**
 * Runs an operation by name, with the checks, the audit and the schemas of every surface.
 *
 * @throws GwError `request.not_found` for a name that is none, `request.invalid` for input that does not fit,
 * `access.scope`, and whatever the operation itself throws
 */
export async function callOperation(name: string, input: unknown, context: OperationContext): Promise<unknown> {
  const names = callableNames(operations)
  if (!names.has(name)) {
    const [meant] = nearest(name, names, 1)
    throw new GwError('request.not_found', `no operation ${name}`, meant ? { hint: `did you mean ${meant}?` } : {})
  }
  let at: unknown = callerOf(operations)(context)
  for (const step of name.split('.')) at = (at as Record<string, unknown>)[step]
  try {
    return await (at as (input: unknown) => Promise<unknown>)(input ?? {})
  } catch (error) {
    throw fromTrpc(error)
  }
}
