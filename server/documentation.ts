import { swagger } from '@elysiajs/swagger'
import { type AnyElysia, Elysia } from 'elysia'
import { surfaces } from '../lib/gateway/mod.ts'
import { describeOperations, type OperationDescription } from '../lib/operations/mod.ts'
import { operations } from '../lib/operations/router.ts'
import { version } from '../lib/version.ts'
import type { Door } from './door.ts'
import { withRoutes } from './routes/all.ts'

const open = { 200: { description: 'Done' } }
const answered = {
  200: { description: "The provider's answer, in the protocol of the path" },
  default: { description: 'An error in the protocol of the path' },
}

/**
 * An app with all routes once more, with what they say of themselves, and the page and the OpenAPI document made from
 * that. It is never asked for anything else.
 *
 * @param script the path of the page's own script
 */
export function documentation(door: Door, script: string): AnyElysia {
  const documented = new Map(describeOperations(operations, 'openapi-3.0').map((one) => [one.name, one]))
  return withRoutes(new Elysia({ normalize: false }), door, (name) => detailOf(documented.get(name)!))
    .use(swagger({
      path: '/docs',
      specPath: '/docs/json',
      provider: 'scalar',
      scalarCDN: script,
      scalarConfig: { customCss: '' },
      excludeStaticFile: false,
      exclude: ['/docs', '/docs/json'],
      documentation: {
        info: { title: 'gw', version, description: 'One local door to every model account you own.' },
        components: {
          securitySchemes: { token: { type: 'http', scheme: 'bearer', description: 'A token of gw (la_sk_…)' } },
          responses: {
            Problem: {
              description: 'What went wrong (RFC 9457)',
              content: { 'application/problem+json': { schema: problem } },
            },
            Detail: {
              description: 'What went wrong',
              content: {
                'application/json': {
                  schema: {
                    type: 'object',
                    required: ['detail'],
                    properties: {
                      detail: { oneOf: [{ type: 'string' }, { type: 'object', additionalProperties: true }] },
                    },
                  },
                },
              },
            },
          },
        },
        paths: documentedPaths(),
      },
    }))
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

const problem = {
  type: 'object' as const,
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string' as const },
    title: { type: 'string' as const, description: 'dotted code' },
    status: { type: 'integer' as const },
    detail: { type: 'string' as const },
    code: { type: 'string' as const },
    hint: { type: 'string' as const, description: 'what to do about it' },
    param: { type: 'string' as const, description: 'the field at fault' },
    details: { type: 'object' as const, additionalProperties: true },
  },
}

/** The paths that are answered before the router, and those that say nothing of themselves. */
function documentedPaths() {
  const security = [{ token: [] }]
  const model = Object.fromEntries(
    Object.entries(surfaces).map(([path, row]) => [path, {
      post: {
        tags: ['models'],
        operationId: `post${path.replace(/[^a-z]+(.)/g, (_, c: string) => c.toUpperCase())}`,
        summary: `${row.surface.replaceAll('_', ' ')} (${row.protocol})`,
        security,
        requestBody: {
          content: {
            [row.body === 'json' ? 'application/json' : 'multipart/form-data']: {
              schema: { type: 'object' as const, additionalProperties: true },
            },
          },
        },
        responses: answered,
      },
    }]),
  )
  const get = (summary: string, tag: string, operationId: string, guarded: boolean) => ({
    get: { tags: [tag], summary, operationId, responses: open, ...(guarded ? { security } : { security: [] }) },
  })
  const profile = { in: 'path' as const, name: 'id', required: true, schema: { type: 'string' as const } }
  const config = (summary: string, operationId: string) => ({
    tags: ['config'],
    summary,
    operationId,
    description: 'The id may hold `:` and `/`. Scope: `admin`.',
    security,
    parameters: [profile],
    responses: { ...open, default: { $ref: '#/components/responses/Detail' } },
  })
  const server = { ...profile, name: 'server' }
  const rpc = (of: string, operationId: string, parameters: (typeof server)[]) => ({
    tags: ['tool servers'],
    security,
    parameters,
    responses: { 200: { description: 'JSON-RPC, or events of it' }, default: answered.default },
    summary: of,
    operationId,
  })
  // MCP over HTTP: calls by POST, events by GET, the end of a session by DELETE.
  const mcp = (of: string, id: string, parameters: (typeof server)[] = []) => ({
    get: rpc(`Follow the events of ${of}`, `follow${id}`, parameters),
    post: {
      ...rpc(`Call ${of} (JSON-RPC)`, `call${id}`, parameters),
      requestBody: {
        content: { 'application/json': { schema: { type: 'object' as const, additionalProperties: true } } },
      },
    },
    delete: rpc(`End a session with ${of}`, `end${id}`, parameters),
  })
  return {
    ...model,
    '/mcp': mcp("gw's own tools", 'Gw'),
    '/v1/mcp': mcp('all tool servers behind gw', 'ToolServers'),
    '/v1/mcp/{server}': mcp('one tool server behind gw', 'ToolServer', [server]),
    '/config/auth-profiles/{id}': {
      put: config('Add or change an auth profile', 'putAuthProfile'),
      delete: config('Forget an auth profile', 'deleteAuthProfile'),
    },
    '/config/credentials/{id}/test': {
      post: config('Test the credential of an auth profile', 'testCredential'),
    },
    '/v1/models': get('List the models you can ask for', 'models', 'listModels', true),
    '/v1/providers': get('List the providers there are accounts with', 'models', 'listProviders', true),
    '/health': get('Two bytes, or JSON when asked for', 'health', 'health', false),
    '/healthz': get('Whether the process is alive', 'health', 'healthz', false),
    '/readyz': get('Whether requests are taken', 'health', 'readyz', false),
    '/': { head: { tags: ['health'], summary: 'Probe', operationId: 'probe', responses: open, security: [] } },
    '/api/hello': { head: { tags: ['health'], summary: 'Probe', operationId: 'hello', responses: open, security: [] } },
  }
}
