import { Elysia } from 'elysia'
import { requireScope } from '../../lib/access/mod.ts'
import { GwError, type Json, type JsonObject } from '../../lib/base/mod.ts'
import { apiOf, profileIds, profileView, providerView } from '../../lib/migrate/mod.ts'
import { callOperation } from '../../lib/operations/mod.ts'
import { contextFor, principalOf, readJsonBody } from '../call.ts'
import type { Door } from '../door.ts'
import { type Changes, configChanges } from './config-changes.ts'
import { fieldsOf, nameIn } from './config-shapes.ts'
import { type ConfigCaller, configSnapshots } from './config-snapshots.ts'
import { configUsage } from './config-usage.ts'

const security = [{ token: [] }]
const tags = ['config']
const hook = (summary: string) => ({
  parse: 'none' as const,
  detail: {
    tags,
    summary,
    description: 'The config API of Open LLM Auth. Scope: `admin`. Errors are `{"detail": …}`.',
    security,
    responses: { 200: { description: 'Done' }, default: { $ref: '#/components/responses/Detail' } },
  },
})

/**
 * The config API of Open LLM Auth: the same operations in its shapes. Secrets are never shown, and a value that is given
 * back as it was shown stays what it is.
 */
export function configRoutes(door: Door) {
  const { rooms } = door.gateway
  const bodies = configChanges(door.gateway)

  async function enter(request: Request): Promise<ConfigCaller> {
    const principal = await principalOf(door, request)
    requireScope(principal, 'admin')
    const context = contextFor(door, { principal, surface: 'http', signal: request.signal })
    const etag = request.headers.get('if-match')?.trim().replace(/^W\//, '').replace(/^"(.*)"$/, '$1')
    return {
      run: async (name, input) => await callOperation(name, input, context) as JsonObject,
      etag: etag === undefined || etag === '*' ? undefined : etag,
    }
  }

  /** Keys of the file and stored accounts, changed together or not at all. */
  async function change({ run, etag }: ConfigCaller, { edits, accounts }: Changes): Promise<void> {
    if (edits.length + accounts.length === 0) return
    await run('config.edit', { edits: edits as unknown as Json, accounts, ...(etag ? { etag } : {}) })
  }

  const shown = async ({ run }: ConfigCaller): Promise<Response> => {
    const { etag } = await run('config.document', {})
    return Response.json(bodies.view(), { headers: { etag: `"${String(etag)}"`, 'cache-control': 'no-store' } })
  }

  return new Elysia({ name: 'config' })
    .get('/config', async ({ request }) => shown(await enter(request)), hook('Show the configuration without secrets'))
    .post('/config', async ({ request }) => {
      const caller = await enter(request)
      const { left, ...changes } = await bodies.whole(fieldsOf(await readJsonBody(request)))
      await change(caller, changes)
      return Response.json({ status: 'ok', left })
    }, hook('Replace the configuration'))
    .get('/config/builtin-providers', async ({ request }) => {
      await enter(request)
      return Response.json(
        rooms.catalog().providers.map(({ id, name, aliases, env, deployments, auth }) => ({
          id,
          name,
          aliases,
          env,
          baseUrl: deployments[0]?.baseUrl ?? null,
          api: apiOf[deployments[0]?.protocol ?? ''] ?? deployments[0]?.protocol ?? null,
          auth: auth.type === 'sigv4' ? 'aws-sdk' : 'api-key',
        })),
      )
    }, hook('List the providers that gw knows'))
    .get('/config/providers', async ({ request }) => {
      await enter(request)
      return Response.json(bodies.view().providers)
    }, hook('Show the providers of the configuration'))
    .put('/config/providers/:id', async ({ request, params }) => {
      const caller = await enter(request)
      const id = nameIn(params.id)
      await change(caller, await bodies.provider(id, await readJsonBody(request)))
      return Response.json({ status: 'ok', provider: id })
    }, hook('Add or change a provider'))
    .delete('/config/providers/:id', async ({ request, params }) => {
      const caller = await enter(request)
      const id = nameIn(params.id)
      await change(caller, bodies.dropProvider(id))
      return Response.json({ status: 'ok', deleted: id })
    }, hook('Take a provider out of the configuration'))
    .get('/config/providers/:id/models', async ({ request, params }) => {
      await enter(request)
      await rooms.loadFacts()
      const catalog = rooms.catalog()
      const row = catalog.provider(nameIn(params.id))
      if (!row) throw new GwError('provider.not_found', `no provider ${nameIn(params.id)}`)
      const now = rooms.clock.now()
      return Response.json(
        catalog.modelIds(row.id).map((id) => {
          const { contextTokens, maxOutputTokens } = catalog.model(row.id, id, now)
          return { id, name: id, provider: row.id, contextWindow: contextTokens, maxTokens: maxOutputTokens }
        }),
      )
    }, hook('List the models of a provider'))
    .get('/config/configured-providers', async ({ request }) => {
      await enter(request)
      const { config, accounts } = bodies.home()
      const ids = [...new Set([...Object.keys(config.providers), ...accounts.map(({ provider }) => provider)])].sort()
      return Response.json(ids.map((id) => {
        const { baseUrl, api, auth } = providerView(id, bodies.home())
        const own = Object.hasOwn(config.providers, id)
        return {
          id,
          baseUrl,
          api,
          auth,
          isBuiltin: rooms.catalog().provider(id)?.docs !== '' && !(own && config.providers[id]!.protocol),
          ...(own ? { customConfig: providerView(id, bodies.home()) } : {}),
          authProfileCount: accounts.filter(({ provider }) => provider === id).length,
        }
      }))
    }, hook('List the providers in use'))
    .get('/config/auth-profiles', async ({ request }) => {
      await enter(request)
      return Response.json([...profileIds(rooms.accounts.list())].map(([id, account]) => profileView(id, account)))
    }, hook('List the auth profiles'))
    .put('/config/auth-profiles/*', async ({ request, params }) => {
      const caller = await enter(request)
      const id = nameIn(params['*'])
      await change(caller, await bodies.profile(id, await readJsonBody(request)))
      return Response.json({ status: 'ok', profile: id })
    }, hook('Add or change an auth profile'))
    .delete('/config/auth-profiles/*', async ({ request, params }) => {
      const caller = await enter(request)
      const id = nameIn(params['*'])
      await change(caller, bodies.dropProfile(id))
      return Response.json({ status: 'ok', deleted: id })
    }, hook('Forget an auth profile'))
    .get('/config/config-file-path', async ({ request }) => {
      const { run } = await enter(request)
      const { path } = await run('config.path', {})
      return Response.json({ config_dir: String(path).replace(/[/\\][^/\\]*$/, ''), config_file: path })
    }, hook('Show where the config file is'))
    .post('/config/credentials/*', async ({ request, params }) => {
      const { run } = await enter(request)
      const [, name] = /^(.+)\/test$/.exec(nameIn(params['*'])) ?? []
      if (name === undefined) throw new GwError('request.not_found', 'write /config/credentials/{profile}/test')
      await readJsonBody(request)
      const account = bodies.find(name)
      const { ok, models, error } = await run('accounts.test', { id: account.id })
      const base = { status: ok ? 'ok' : 'error', profile: name, provider: account.provider }
      return Response.json(ok ? { ...base, models_found: models } : { ...base, detail: error })
    }, hook('Test the credential of an auth profile'))
    .use(configSnapshots(enter, hook))
    .use(configUsage(enter, hook))
}
