import { swagger } from '@elysiajs/swagger'
import { Elysia } from 'elysia'
import { surfaces } from '../../lib/gateway/mod.ts'
import { version } from '../../lib/version.ts'
import { referencePage } from '../pages/reference.ts'

const script = '/docs/reference.js'

/** What the page may load: its own script and its own description, nothing from anywhere else. */
const policy =
  "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const open = { 200: { description: 'Done' } }
const answered = {
  200: { description: "The provider's answer, in the protocol of the path" },
  default: { description: 'An error in the protocol of the path' },
}

/** The documentation page at `/docs` and the OpenAPI document at `/docs/json`; nothing of it comes from elsewhere. */
export function docsRoutes(enabled: boolean) {
  if (!enabled) return new Elysia({ name: 'docs' })
  return new Elysia({ name: 'docs' })
    .get(script, () =>
      new Response(referencePage, {
        headers: { 'content-type': 'text/javascript; charset=utf-8', 'x-content-type-options': 'nosniff' },
      }), { detail: { hide: true } })
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
  return {
    ...model,
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

/** Adds what a page in a browser needs to the answers under `/docs`. */
export function withPagePolicy(response: Response): Response {
  const headers = new Headers(response.headers)
  headers.set('content-security-policy', policy)
  headers.set('x-content-type-options', 'nosniff')
  headers.set('referrer-policy', 'no-referrer')
  headers.set('x-frame-options', 'DENY')
  return new Response(response.body, { status: response.status, headers })
}
