import { Elysia } from 'elysia'
import { callOperation, describeOperations, type OperationDescription } from '../../lib/operations/mod.ts'
import { operations } from '../../lib/operations/router.ts'
import { contextFor, inputFromQuery, principalOf, readJsonBody } from '../call.ts'
import type { Door } from '../door.ts'

/** Every operation over plain HTTP: `/api/<area>/<name>`, GET where it reads and POST where it does not. */
export function operationRoutes(door: Door) {
  const app = new Elysia({ name: 'operations' })
  const documented = new Map(describeOperations(operations, 'openapi-3.0').map((one) => [one.name, one]))
  for (const operation of describeOperations(operations)) {
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
    const hook = { parse: 'none' as const, detail: detailOf(documented.get(operation.name)!) }
    if (operation.kind === 'query') app.get(path, handle, hook)
    else app.post(path, handle, hook)
  }
  return app
}

/** What the documentation says about an operation. */
function detailOf(operation: OperationDescription) {
  const { name, summary, description, scope, effect, destructive } = operation
  const facts = [`Scope: \`${scope}\`.`, `Effect: ${effect}${destructive ? ', destructive' : ''}.`]
  const body = { content: { 'application/json': { schema: operation.input } } }
  return {
    tags: [name.split('.')[0]!],
    operationId: name.replace('.', '_'),
    summary,
    description: [description, facts.join(' ')].filter(Boolean).join('\n\n'),
    security: [{ token: [] }],
    ...(operation.kind === 'query' ? { parameters: parametersOf(operation) } : { requestBody: body }),
    responses: {
      200: { description: 'Done', content: { 'application/json': { schema: operation.output } } },
      default: { $ref: '#/components/responses/Problem' },
    },
    // The swagger types want OpenAPI's own; these are the JSON Schemas zod made for that version.
  } as Record<string, unknown>
}

function parametersOf({ input }: OperationDescription) {
  const required = new Set(input.required as readonly string[] | undefined)
  return Object.entries(input.properties as Record<string, { description?: string }> | undefined ?? {}).map((
    [name, { description, ...schema }],
  ) => ({ in: 'query', name, required: required.has(name), schema, ...(description ? { description } : {}) }))
}
