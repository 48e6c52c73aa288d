import { Elysia } from 'elysia'
import { callOperation, described } from '../../lib/operations/mod.ts'
import { contextFor, inputFromQuery, principalOf, readJsonBody } from '../call.ts'
import type { Documented, Door } from '../door.ts'

/**
 * Every operation over plain HTTP: `/api/<area>/<name>`, GET where it reads and POST where it does not.
 *
 * @param documented what the documentation says about an operation; absent where nobody reads it
 */
export function operationRoutes(door: Door, documented?: Documented) {
  const app = new Elysia({ name: 'operations' })
  for (const operation of described()) {
    if (operation.kind === 'subscription') continue
    const path = `/api/${operation.name.replace('.', '/')}`
    const handle = async ({ request }: { request: Request }) => {
      const principal = await principalOf(door, request)
      const input = operation.kind === 'query'
        ? inputFromQuery(operation, new URL(request.url).searchParams)
        : await readJsonBody(request)
      const context = contextFor(door, { principal, surface: 'http', signal: request.signal })
      return Response.json(await callOperation(operation.name, input, context))
    }
    const detail = documented?.(operation.name)
    const hook = { parse: 'none' as const, ...(detail ? { detail } : {}) }
    if (operation.kind === 'query') app.get(path, handle, hook)
    else app.post(path, handle, hook)
  }
  return app
}
