import { Elysia } from 'elysia'
import type { z } from 'zod'
import type { Account } from '../../lib/accounts/mod.ts'
import { requireScope } from '../../lib/access/mod.ts'
import { GwError, isObject, type Json, type JsonObject } from '../../lib/base/mod.ts'
import {
  accountIdOf,
  apiOf,
  openLlmAuthView,
  profileIds,
  profileView,
  providerView,
  type ViewEdit,
  viewEdits,
} from '../../lib/migrate/mod.ts'
import { callOperation } from '../../lib/operations/mod.ts'
import { contextFor, principalOf, readJsonBody } from '../call.ts'
import type { Door } from '../door.ts'
import {
  fieldsOf,
  hidden,
  nameIn,
  parsed,
  profileBody,
  protocolOf,
  providerBody,
  pruned,
  read,
  same,
  tableOf,
} from './config-shapes.ts'
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

/** One call of the config API: who calls, and the operations on their behalf. */
interface Caller {
  readonly run: (name: string, input: JsonObject) => Promise<JsonObject>
  /** The etag that the caller insists on. */
  readonly etag: string | undefined
}

/**
 * The config API of Open LLM Auth: the same operations in its shapes. Secrets are never shown, and a value that is given
 * back as it was shown stays what it is.
 */
export function configRoutes(door: Door) {
  const { rooms } = door.gateway

  async function enter(request: Request): Promise<Caller> {
    const principal = await principalOf(door, request)
    requireScope(principal, 'admin')
    const context = contextFor(door, { principal, surface: 'http', signal: request.signal })
    const etag = request.headers.get('if-match')?.trim().replace(/^W\//, '').replace(/^"(.*)"$/, '$1')
    return {
      run: async (name, input) => await callOperation(name, input, context) as JsonObject,
      etag: etag === undefined || etag === '*' ? undefined : etag,
    }
  }

  const home = () => ({
    config: rooms.config.current().config,
    accounts: rooms.accounts.list(),
    provider: (id: string) => rooms.catalog().provider(id),
  })
  const view = () => openLlmAuthView(home())

  /** Judges a base URL before it is stored. @throws GwError `egress.denied` */
  async function safe(url: string | null | undefined, provider: string): Promise<void> {
    if (!url || url.includes('${')) return
    const parsed = new URL(url)
    const local = rooms.catalog().provider(provider)?.local ?? false
    const verdict = await rooms.egress.check(parsed, { local })
    if (verdict.allowed || rooms.config.current().config.egress.mode !== 'enforce') return
    // A name that has no address today may have one tomorrow; each connection is judged again.
    if (verdict.reason.startsWith('dns_')) return
    throw new GwError('egress.denied', verdict.detail, {
      hint: 'see [egress] in the configuration',
      details: {
        provider,
        scheme: parsed.protocol.slice(0, -1),
        host: parsed.hostname,
        reason: verdict.reason,
        phase: 'config_write',
      },
    })
  }

  async function providerEdits(id: string, body: z.output<ReturnType<typeof providerBody>>): Promise<ViewEdit[]> {
    const row = rooms.catalog().provider(id)
    const protocol = body.api === undefined ? undefined : protocolOf.get(body.api)
    if (body.api !== undefined && protocol === undefined && !row) {
      throw new GwError('request.invalid', `api ${body.api} is none that gw speaks`, {
        param: 'api',
        hint: [...protocolOf.keys()].join(', '),
      })
    }
    if (!row && body.base_url === undefined) {
      throw new GwError('request.invalid', `${id} is no provider that gw knows: give its base_url`, {
        param: 'base_url',
      })
    }
    await safe(body.base_url, id)
    const shipped = row?.deployments[0]
    const key = (name: string, value: Json | undefined): ViewEdit => ({
      key: ['providers', id, name],
      ...(value === undefined ? {} : { value }),
    })
    const url = body.base_url?.replace(/\/+$/, '')
    const own = Object.hasOwn(rooms.config.current().config.providers, id)
    return [
      ...(url === undefined || (url === shipped?.baseUrl && !own) ? [] : [key('base_url', url)]),
      ...(protocol === undefined || (protocol === shipped?.protocol && !own) ? [] : [key('protocol', protocol)]),
      ...(row || body.api !== undefined ? [] : [key('protocol', 'openai-chat')]),
      ...(body.auth_header ? [] : [key('auth', 'none')]),
      ...(body.auth_header && row?.auth.type === 'none' ? [key('auth', 'bearer')] : []),
      ...(own || Object.keys(body.headers).length > 0 ? [key('headers', body.headers)] : []),
      ...(body.models ?? []).map((one): ViewEdit => ({
        key: ['providers', id, 'models', typeof one === 'string' ? one : one.id],
        value: {},
      })),
    ]
  }

  /** What gives an account its key: a new one to the encrypted store, one that is shown hidden stays. */
  function keep(id: string, provider: string, given: JsonObject): JsonObject[] {
    const { secret: text, ...fields } = given as { secret?: string }
    const variable = text === undefined ? undefined : /^\$\{([A-Za-z_]\w*)\}$/.exec(text)?.[1] ??
      /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.exec(text)?.[0]
    const source = text === undefined || text === hidden
      ? {}
      : variable
      ? { from: `env:${variable}` }
      : { secret: text }
    const existing = rooms.accounts.list().find((one) => one.id === id)
    if (existing && existing.origin !== 'environment') {
      return Object.keys(source).length + Object.keys(fields).length > 0 ? [{ id, ...source, ...fields }] : []
    }
    if (text === hidden && !existing) {
      throw new GwError('request.invalid', 'a hidden key is given, and there is none to keep', { param: 'key' })
    }
    return [{ id, provider, ...source, ...fields }]
  }

  /** Keys of the file and stored accounts, changed together or not at all. */
  async function change({ run, etag }: Caller, edits: readonly ViewEdit[], accounts: readonly JsonObject[] = []) {
    if (edits.length + accounts.length === 0) return
    await run('config.edit', { edits: edits as unknown as Json, accounts: accounts as Json, ...(etag ? { etag } : {}) })
  }

  async function putProvider(caller: Caller, id: string, given: Json): Promise<void> {
    const body = read(providerBody(), given)
    const key = body.api_key && body.api_key !== hidden ? keep(id, id, { secret: body.api_key }) : []
    await change(caller, await providerEdits(id, body), key)
  }

  /** What a profile comes to here; throws for what gw will not take. */
  async function readProfile(id: string, given: Json) {
    const body = read(profileBody(), given)
    if (body.type === 'oauth') {
      throw new GwError('request.unsupported', 'a login ends when two programs renew it: gw makes its own', {
        hint: `gw auth login ${body.provider}`,
        param: 'type',
      })
    }
    if (body.type === 'cli') {
      throw new GwError('request.unsupported', 'gw does not run a program to answer requests', { param: 'type' })
    }
    await safe(body.baseUrl, body.provider)
    const text = body.type === 'token' ? body.token ?? body.key : body.key ?? body.token
    const known = profileIds(rooms.accounts.list()).get(id)
    return {
      account: known?.id ?? accountIdOf(id),
      provider: body.provider,
      fields: {
        ...(text ? { secret: text } : {}),
        ...(body.type === 'token' ? { kind: 'auth_token' } : {}),
        ...(body.email ? { label: body.email } : {}),
        ...(body.accountId ? { account_id: body.accountId } : {}),
        ...(body.baseUrl ? { base_url: body.baseUrl } : {}),
      },
    }
  }

  const find = (id: string): Account => {
    const found = profileIds(rooms.accounts.list()).get(id) ?? rooms.accounts.list().find((one) => one.id === id)
    if (found) return found
    throw new GwError('account.not_found', `no auth profile ${id}`)
  }

  /** What takes an account away, where it was declared. */
  const drop = ({ id, origin }: Account): { edits: ViewEdit[]; accounts: JsonObject[] } =>
    origin === 'config'
      ? { edits: [{ key: ['accounts', id] }], accounts: [] }
      : { edits: [], accounts: [{ id, remove: true }] }

  /** Makes the configuration what a whole view says: the file and the accounts, in one step or not at all. */
  async function replace(caller: Caller, given: JsonObject): Promise<JsonObject> {
    const before = view()
    const { edits: plain, left } = viewEdits(before, given)
    const edits = [...plain]
    const accounts: JsonObject[] = []
    const providers = tableOf(given.providers, isObject(given.models) ? given.models.providers : undefined)
    for (const [id, provider] of Object.entries(providers ?? {})) {
      if (same(provider, before.providers[id])) continue
      const { baseUrl: base_url, api, auth, apiKey: api_key, authHeader: auth_header, headers, models } = provider
      const body = pruned({ base_url, api, auth, api_key, auth_header, headers, models })
      edits.push(...await providerEdits(id, read(providerBody(), body)))
      if (typeof api_key === 'string' && api_key !== hidden) accounts.push(...keep(id, id, { secret: api_key }))
    }
    if (providers) {
      for (const id of Object.keys(before.providers)) if (!providers[id]) edits.push({ key: ['providers', id] })
    }
    const profiles = tableOf(given.authProfiles, isObject(given.auth) ? given.auth.profiles : undefined)
    for (const [id, profile] of Object.entries(profiles ?? {})) {
      if (same(profile, before.authProfiles[id])) continue
      const { account, provider, fields } = await readProfile(id, profile)
      accounts.push(...keep(account, provider, fields as JsonObject))
    }
    const gone = profiles ? Object.keys(before.authProfiles).filter((id) => !profiles[id]).map(find) : []
    for (const account of gone) {
      if (account.origin === 'environment') continue
      const dropped = drop(account)
      edits.push(...dropped.edits)
      accounts.push(...dropped.accounts)
    }
    const wanted = given.authOrder ?? (isObject(given.auth) ? given.auth.order as Json : undefined)
    const ordered = order(wanted, before.authOrder, new Set(gone.map(({ id }) => id)))
    await change(caller, [...edits, ...ordered.edits], [...accounts, ...ordered.accounts])
    return { status: 'ok', left: left as unknown as Json }
  }

  /** What makes those earlier in a list the first to be tried. */
  function order(
    given: Json | undefined,
    before: Readonly<Record<string, readonly string[]>>,
    gone: ReadonlySet<string>,
  ) {
    const edits: ViewEdit[] = []
    const accounts: JsonObject[] = []
    for (const [provider, list] of Object.entries(isObject(given) ? given : {})) {
      if (!Array.isArray(list) || same(list as Json, before[provider] as unknown as Json)) continue
      for (const [i, name] of list.entries()) {
        const { id, origin } = find(String(name))
        if (gone.has(id)) continue
        const priority = list.length - i
        if (origin === 'config') edits.push({ key: ['accounts', id, 'priority'], value: priority })
        else accounts.push({ id, priority })
      }
    }
    return { edits, accounts }
  }

  const shown = async ({ run }: Caller): Promise<Response> => {
    const { etag } = await run('config.document', {})
    return Response.json(view(), { headers: { etag: `"${String(etag)}"`, 'cache-control': 'no-store' } })
  }

  const app = new Elysia({ name: 'config' })
    .get('/config', async ({ request }) => shown(await enter(request)), hook('Show the configuration without secrets'))
    .post('/config', async ({ request }) => {
      const caller = await enter(request)
      const body = await readJsonBody(request)
      if (!isObject(body)) throw new GwError('request.invalid', 'the body must be a JSON object')
      return answer(() => replace(caller, body as JsonObject))
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
      return Response.json(view().providers)
    }, hook('Show the providers of the configuration'))
    .put('/config/providers/:id', async ({ request, params }) => {
      const caller = await enter(request)
      const id = nameIn(params.id)
      const body = await readJsonBody(request)
      return answer(async () => {
        await putProvider(caller, id, body)
        return { status: 'ok', provider: id }
      })
    }, hook('Add or change a provider'))
    .delete('/config/providers/:id', async ({ request, params }) => {
      const caller = await enter(request)
      const id = nameIn(params.id)
      const own = Object.hasOwn(rooms.config.current().config.providers, id)
      const account = rooms.accounts.list().find((one) => one.id === id && one.origin === 'store')
      if (own) await change(caller, [{ key: ['providers', id] }], account ? [{ id, remove: true }] : [])
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
      const { config, accounts } = home()
      const ids = [...new Set([...Object.keys(config.providers), ...accounts.map(({ provider }) => provider)])].sort()
      return Response.json(ids.map((id) => {
        const { baseUrl, api, auth } = providerView(id, home())
        const own = Object.hasOwn(config.providers, id)
        return {
          id,
          baseUrl,
          api,
          auth,
          isBuiltin: rooms.catalog().provider(id)?.docs !== '' && !(own && config.providers[id]!.protocol),
          ...(own ? { customConfig: providerView(id, home()) } : {}),
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
      const body = await readJsonBody(request)
      return answer(async () => {
        const { account, provider, fields } = await readProfile(id, body)
        await change(caller, [], keep(account, provider, fields as JsonObject))
        return { status: 'ok', profile: id }
      })
    }, hook('Add or change an auth profile'))
    .delete('/config/auth-profiles/*', async ({ request, params }) => {
      const caller = await enter(request)
      const id = nameIn(params['*'])
      const { edits, accounts } = drop(find(id))
      await change(caller, edits, accounts)
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
      const account = find(name)
      const { ok, models, error } = await run('accounts.test', { id: account.id })
      const base = { status: ok ? 'ok' : 'error', profile: name, provider: account.provider }
      return Response.json(ok ? { ...base, models_found: models } : { ...base, detail: error })
    }, hook('Test the credential of an auth profile'))
    .get('/config/profiles', async ({ request }) => {
      const { run } = await enter(request)
      const { data } = await run('config.snapshots', {}) as { data: { name: string; active: boolean }[] }
      return Response.json({
        profiles: data,
        active: data.find(({ active }) => active)?.name ?? null,
      })
    }, hook('List the snapshots of the configuration'))
    .post('/config/profiles', async ({ request }) => {
      const { run } = await enter(request)
      const { name, replace = false } = fieldsOf(await readJsonBody(request))
      const { etag } = await run('config.save', { name: nameIn(name), replace })
      return Response.json({ status: 'ok', name, etag })
    }, hook('Save a snapshot of the configuration'))
    .post('/config/profiles/import', async ({ request }) => {
      const { run } = await enter(request)
      const { name, content, replace = false } = fieldsOf(await readJsonBody(request))
      const document = typeof content === 'string' ? parsed(content) : content ?? null
      const { etag } = await run('config.import', { name: nameIn(name), document, replace })
      return Response.json({ status: 'ok', name, etag })
    }, hook('Save a document as a snapshot'))
    .get('/config/profiles/export/:name', async ({ request, params }) => {
      const { run } = await enter(request)
      const { name, document, etag } = await run('config.export', { name: nameIn(params.name) })
      return Response.json({ name, content: document, etag })
    }, hook('Show a snapshot without secrets'))
    .post('/config/profiles/:name/activate', async ({ request, params }) => {
      const { run, etag } = await enter(request)
      await readJsonBody(request)
      const done = await run('config.restore', { name: nameIn(params.name), ...(etag ? { etag } : {}) })
      return Response.json({ status: 'ok', activated: nameIn(params.name), changed: done.changed })
    }, hook('Put a snapshot in force'))
    .delete('/config/profiles/:name', async ({ request, params }) => {
      const { run } = await enter(request)
      const { forgotten } = await run('config.forget', { name: nameIn(params.name) })
      return Response.json({ status: 'ok', deleted: forgotten })
    }, hook('Delete a snapshot'))
  return app.use(configUsage(async (request, name, input) => (await enter(request)).run(name, input), hook))
}

async function answer(work: () => Promise<JsonObject>): Promise<Response> {
  return Response.json(await work())
}
