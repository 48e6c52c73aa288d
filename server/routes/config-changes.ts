import type { z } from 'zod'
import type { Account } from '../../lib/accounts/mod.ts'
import { GwError, isObject, type Json, type JsonObject } from '../../lib/base/mod.ts'
import { accountIdOf, openLlmAuthView, profileIds, type ViewEdit, viewEdits } from '../../lib/migrate/mod.ts'
import type { Door } from '../door.ts'
import { hidden, profileBody, protocolOf, providerBody, pruned, read, same, tableOf } from './config-shapes.ts'

/** Keys of the file and stored accounts that change together, as the operation `config.edit` takes them. */
export interface Changes {
  readonly edits: readonly ViewEdit[]
  readonly accounts: readonly JsonObject[]
}

/**
 * What the bodies of the config API come to here. Reads the home and changes nothing: whoever asks makes the change.
 *
 * Each throws GwError `request.invalid`, `request.unsupported`, `account.not_found` or `egress.denied` for what gw will
 * not take.
 */
export function configChanges({ rooms }: Door['gateway']) {
  const home = () => ({
    config: rooms.config.current().config,
    accounts: rooms.accounts.list(),
    provider: (id: string) => rooms.catalog().provider(id),
  })
  const owns = (id: string): boolean => Object.hasOwn(rooms.config.current().config.providers, id)

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
    const own = owns(id)
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

  async function provider(id: string, given: Json): Promise<Changes> {
    const body = read(providerBody(), given)
    const key = body.api_key && body.api_key !== hidden ? keep(id, id, { secret: body.api_key }) : []
    return { edits: await providerEdits(id, body), accounts: key }
  }

  async function profile(id: string, given: Json): Promise<Changes> {
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
    const account = profileIds(rooms.accounts.list()).get(id)?.id ?? accountIdOf(id)
    const fields = {
      ...(text ? { secret: text } : {}),
      ...(body.type === 'token' ? { kind: 'auth_token' } : {}),
      ...(body.email ? { label: body.email } : {}),
      ...(body.accountId ? { account_id: body.accountId } : {}),
      ...(body.baseUrl ? { base_url: body.baseUrl } : {}),
    }
    return { edits: [], accounts: keep(account, body.provider, fields) }
  }

  /** The account behind a profile. */
  const find = (id: string): Account => {
    const found = profileIds(rooms.accounts.list()).get(id) ?? rooms.accounts.list().find((one) => one.id === id)
    if (found) return found
    throw new GwError('account.not_found', `no auth profile ${id}`)
  }

  /** What takes an account away, where it was declared. */
  const drop = ({ id, origin }: Account): Changes =>
    origin === 'config'
      ? { edits: [{ key: ['accounts', id] }], accounts: [] }
      : { edits: [], accounts: [{ id, remove: true }] }

  /** What takes a provider of the configuration away, with its own account. */
  function dropProvider(id: string): Changes {
    if (!owns(id)) return { edits: [], accounts: [] }
    const account = rooms.accounts.list().find((one) => one.id === id && one.origin === 'store')
    return { edits: [{ key: ['providers', id] }], accounts: account ? [{ id, remove: true }] : [] }
  }

  /** What makes the configuration what a whole view says, and what of it gw does not take. */
  async function whole(given: JsonObject): Promise<Changes & { readonly left: Json }> {
    const before = openLlmAuthView(home())
    const { edits: plain, left } = viewEdits(before, given)
    const all: Changes[] = [{ edits: plain, accounts: [] }]
    const providers = tableOf(given.providers, isObject(given.models) ? given.models.providers : undefined)
    for (const [id, one] of Object.entries(providers ?? {})) {
      if (same(one, before.providers[id])) continue
      const { baseUrl: base_url, api, auth, apiKey: api_key, authHeader: auth_header, headers, models } = one
      all.push(await provider(id, pruned({ base_url, api, auth, api_key, auth_header, headers, models })))
    }
    if (providers) {
      const gone = Object.keys(before.providers).filter((id) => !providers[id])
      all.push({ edits: gone.map((id) => ({ key: ['providers', id] })), accounts: [] })
    }
    const profiles = tableOf(given.authProfiles, isObject(given.auth) ? given.auth.profiles : undefined)
    for (const [id, one] of Object.entries(profiles ?? {})) {
      if (!same(one, before.authProfiles[id])) all.push(await profile(id, one))
    }
    const gone = profiles ? Object.keys(before.authProfiles).filter((id) => !profiles[id]).map(find) : []
    all.push(...gone.filter(({ origin }) => origin !== 'environment').map(drop))
    const wanted = given.authOrder ?? (isObject(given.auth) ? given.auth.order as Json : undefined)
    all.push(order(wanted, before.authOrder, new Set(gone.map(({ id }) => id))))
    return {
      edits: all.flatMap(({ edits }) => edits),
      accounts: all.flatMap(({ accounts }) => accounts),
      left: left as unknown as Json,
    }
  }

  /** What makes those earlier in a list the first to be tried. */
  function order(
    given: Json | undefined,
    before: Readonly<Record<string, readonly string[]>>,
    gone: ReadonlySet<string>,
  ): Changes {
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

  return {
    home,
    view: () => openLlmAuthView(home()),
    find,
    provider,
    dropProvider,
    profile,
    dropProfile: (id: string) => drop(find(id)),
    whole,
  }
}
