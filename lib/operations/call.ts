import { GwError, nearest } from '../base/mod.ts'
import { loadArea } from './areas.ts'
import type { OperationContext } from './context.ts'
import { callableNames } from './describe.ts'
import { fromTrpc } from './errors.ts'
import { area, callerOf } from './operation.ts'

/**
 * Runs an operation by name, with the checks, the audit and the schemas of every surface. Only its own area is loaded.
 *
 * @throws GwError `request.not_found` for a name that is none, `request.invalid` for input that does not fit,
 * `access.scope`, and whatever the operation itself throws
 */
export async function callOperation(name: string, input: unknown, context: OperationContext): Promise<unknown> {
  const [first = '', ...rest] = name.split('.')
  const found = await loadArea(first)
  // The area stands under its name again, so that a check or a record says `accounts.remove` and not `remove`.
  const router = found && area({ [first]: found })
  if (!router || !callableNames(router).has(name)) {
    const [meant] = nearest(name, callableNames((await import('./router.ts')).operations), 1)
    throw new GwError('request.not_found', `no operation ${name}`, meant ? { hint: `did you mean ${meant}?` } : {})
  }
  let at: unknown = (callerOf(router)(context) as Record<string, unknown>)[first]
  for (const step of rest) at = (at as Record<string, unknown>)[step]
  try {
    return await (at as (input: unknown) => Promise<unknown>)(input ?? {})
  } catch (error) {
    throw fromTrpc(error)
  }
}
