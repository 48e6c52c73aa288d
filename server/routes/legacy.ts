import { Elysia } from 'elysia'
import { GwError, type Json, type JsonObject } from '../../lib/base/mod.ts'
import { isObject } from '../../lib/base/mod.ts'
import { callOperation } from '../../lib/operations/mod.ts'
import { contextFor, principalOf, readJsonBody } from '../call.ts'
import type { Door } from '../door.ts'

const security = [{ token: [] }]
const tags = ['compatibility']
const answers = { 200: { description: 'Done' }, default: { $ref: '#/components/responses/Problem' } }

/**
 * The management paths of Link.Assistant.Router that are not an operation's own path: the same operations in its
 * shapes. `/api/tokens/list` and `/api/tokens/revoke` are operations already.
 */
export function legacyRoutes(door: Door) {
  const run = async (request: Request, name: string, input: Json): Promise<JsonObject> => {
    const principal = await principalOf(door, request)
    const context = contextFor(door, { principal, surface: 'http', signal: request.signal })
    return await callOperation(name, input, context) as JsonObject
  }
  const hook = (summary: string) => ({
    parse: 'none' as const,
    detail: { tags, summary, security, responses: answers },
  })
  return new Elysia({ name: 'legacy' })
    .post('/api/tokens', async ({ request }) => {
      const body = await readJsonBody(request)
      const { token, ttl_hours, label, account, id, expires_at } = await run(request, 'tokens.issue', body)
      return Response.json({ token, ttl_hours, label, account, id, expires_at })
    }, hook('Issue a client token'))
    .get('/api/providers', async ({ request }) => {
      const { data } = await run(request, 'providers.stored', {})
      return Response.json(data)
    }, hook('List the stored providers'))
    .post('/api/providers', async ({ request }) => {
      const body = await readJsonBody(request)
      if (!isObject(body)) throw new GwError('request.invalid', 'the body must be a JSON object')
      return Response.json(await run(request, 'providers.add', body as JsonObject))
    }, hook('Add or replace a stored provider'))
    .get('/api/providers/:name', async ({ request, params }) => {
      return Response.json(await run(request, 'providers.show', { name: params.name }))
    }, hook('Show a stored provider'))
    .delete('/api/providers/:name', async ({ request, params }) => {
      return Response.json(await run(request, 'providers.remove', { name: params.name }))
    }, hook('Forget a stored provider'))
}
