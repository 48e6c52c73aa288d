import type { Account } from '../accounts/mod.ts'
import { isObject, type Json, type JsonObject } from '../base/mod.ts'
import type { Provider } from '../catalog/mod.ts'
import { type Config, redactConfig } from '../config/mod.ts'

/** The configuration as Open LLM Auth words it, for the clients of its config API. */
export interface OpenLlmAuthView {
  readonly authProfiles: Readonly<Record<string, JsonObject>>
  readonly authOrder: Readonly<Record<string, readonly string[]>>
  readonly providers: Readonly<Record<string, JsonObject>>
  readonly authorization: { readonly tokens: Readonly<Record<string, JsonObject>>; legacyAdminCompatibility: boolean }
  readonly egressPolicy: JsonObject
  readonly providerFallback: JsonObject
  readonly defaultModel: string | null
  readonly serverToken: string | null
}

/** What the view is made from. */
export interface ViewedHome {
  readonly config: Config
  readonly accounts: readonly Account[]
  readonly provider: (id: string) => Provider | null
}

const hidden = '[REDACTED]'

/** The name of a wire protocol there; the rest are named as here. */
export const apiOf: Readonly<Record<string, string>> = {
  'openai-chat': 'openai-completions',
  'openai-responses': 'openai-responses',
  'anthropic-messages': 'anthropic-messages',
  'gemini': 'google-generative-ai',
}

/** `provider:name` of each account: `openai:default` is `openai`, `openai:work` is `openai-work`. */
export function profileIds(accounts: readonly Account[]): ReadonlyMap<string, Account> {
  const ids = new Map<string, Account>()
  for (const account of accounts) {
    const { id, provider } = account
    const short = id === provider ? 'default' : id.startsWith(`${provider}-`) ? id.slice(provider.length + 1) : id
    const name = `${provider}:${short}`
    ids.set(ids.has(name) ? `${provider}:${id}` : name, account)
  }
  return ids
}

/** The id that an account for a profile is given. */
export function accountIdOf(profile: string): string {
  const at = profile.indexOf(':')
  const [provider, name] = at < 0 ? [profile, 'default'] : [profile.slice(0, at), profile.slice(at + 1)]
  const id = name === 'default' || name === '' ? provider : `${provider}-${name}`
  return id.replace(/[^A-Za-z0-9._@-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '').slice(0, 128)
}

/** Draws up the {@link OpenLlmAuthView}; no secret is in it. */
export function openLlmAuthView(home: ViewedHome): OpenLlmAuthView {
  const { config, accounts } = home
  const profiles = profileIds(accounts)
  const { egress, routing: { fallback }, access } = config
  return {
    authProfiles: Object.fromEntries([...profiles].map(([id, account]) => [id, profileView(id, account)])),
    authOrder: orderView(profiles),
    providers: Object.fromEntries(
      Object.keys(config.providers).map((id) => [id, providerView(id, home)]),
    ),
    authorization: {
      tokens: Object.fromEntries(
        Object.entries(access.tokens).map(([id, token]) => [id, {
          id,
          token: hidden,
          scopes: [...token.scopes],
          admin: token.admin,
          enabled: token.enabled,
        }]),
      ),
      legacyAdminCompatibility: access.legacy_admin,
    },
    egressPolicy: {
      enabled: egress.mode !== 'off',
      mode: egress.mode,
      resolveDns: egress.resolve_dns,
      failClosed: egress.fail_closed,
      enforceHttps: egress.enforce_https,
      denyHosts: [...egress.deny_hosts],
      denyCidrs: [...egress.deny_cidrs],
    },
    providerFallback: {
      enabled: fallback.enabled,
      order: fallback.order,
      retryStatusCodes: [...fallback.retry_statuses],
      maxAttempts: fallback.max_attempts,
    },
    defaultModel: config.catalog.default_model,
    serverToken: access.server_token === undefined ? null : hidden,
  }
}

/** One account as a profile. */
export function profileView(id: string, account: Account): JsonObject {
  const { source } = account
  const type = source.type === 'login' || source.type === 'foreign'
    ? 'oauth'
    : account.kind === 'auth-token'
    ? 'token'
    : 'api_key'
  const secret = source.type === 'none' ? null : source.type === 'env' ? `\${${source.variable}}` : hidden
  return {
    id,
    provider: account.provider,
    type,
    ...(secret === null ? {} : { [{ oauth: 'access', token: 'token', api_key: 'key' }[type]]: secret }),
    ...(account.label === account.id ? {} : { email: account.label }),
    ...(account.baseUrl === null ? {} : { baseUrl: account.baseUrl }),
    metadata: { account: account.id, origin: account.origin, enabled: account.enabled, priority: account.priority },
  }
}

function orderView(profiles: ReadonlyMap<string, Account>): Record<string, string[]> {
  const order = new Map<string, [string, number][]>()
  for (const [id, { provider, priority }] of profiles) {
    order.set(provider, [...order.get(provider) ?? [], [id, priority]])
  }
  return Object.fromEntries(
    [...order].filter(([, list]) => list.some(([, priority]) => priority !== 0))
      .map(([provider, list]) => [provider, list.sort(([, a], [, b]) => b - a).map(([id]) => id)]),
  )
}

/** One provider, with what its owner wrote over the row that ships. */
export function providerView(id: string, { config, accounts, provider }: ViewedHome): JsonObject {
  const row = provider(id)
  const own = Object.hasOwn(config.providers, id) ? config.providers[id] : undefined
  const deployment = row?.deployments[0]
  const key = accounts.find((account) => account.id === id && account.provider === id)?.source
  return {
    baseUrl: own?.base_url ?? deployment?.baseUrl ?? null,
    ...(key && key.type !== 'none' ? { apiKey: key.type === 'env' ? `\${${key.variable}}` : hidden } : {}),
    auth: row?.auth.type === 'sigv4' ? 'aws-sdk' : 'api-key',
    api: apiOf[deployment?.protocol ?? ''] ?? deployment?.protocol ?? null,
    headers: redactConfig(own?.headers ?? {}, 'headers'),
    authHeader: row?.auth.type !== 'none',
    models: Object.keys(own?.models ?? {}).map((name) => ({ id: name, name })),
  }
}

/** A change of the config file, as an operation takes it: without a value the key goes. */
export interface ViewEdit {
  readonly key: readonly string[]
  readonly value?: Json
}

/** What a changed view comes to in the config file, and what of it gw has no place for. */
export interface ViewChange {
  readonly edits: readonly ViewEdit[]
  readonly left: readonly { readonly from: string; readonly why: string }[]
}

const sections = ['authProfiles', 'authOrder', 'auth', 'providers', 'models', 'authorization', 'egressPolicy']
  .concat(['providerFallback', 'defaultModel', 'serverToken'])

/** Switches of the other gateway that have no counterpart, and why. */
const without: Readonly<Record<string, string>> = {
  activeProviderIds: 'a provider is in use while an account stands with it',
  durableState: 'the database of gw is always on',
  taskContract: 'gw has no counterpart',
}

const egressKeys: Readonly<Record<string, string>> = {
  resolveDns: 'resolve_dns',
  failClosed: 'fail_closed',
  enforceHttps: 'enforce_https',
  denyHosts: 'deny_hosts',
  denyCidrs: 'deny_cidrs',
}
const fallbackKeys: Readonly<Record<string, string>> = {
  enabled: 'enabled',
  order: 'order',
  retryStatusCodes: 'retry_statuses',
  maxAttempts: 'max_attempts',
}
const tokenKeys = ['token', 'scopes', 'admin', 'enabled']

/**
 * What a view that somebody changed means for the settings that are no profile and no provider: sections that are not
 * given stay as they are, a section that is given is meant whole.
 */
export function viewEdits(before: OpenLlmAuthView, given: JsonObject): ViewChange {
  const edits: ViewEdit[] = []
  const left: { from: string; why: string }[] = []
  const differs = (a: unknown, b: unknown) => JSON.stringify(a ?? null) !== JSON.stringify(b ?? null)
  const set = (key: readonly string[], value: Json | undefined) =>
    edits.push(value === undefined || value === null ? { key } : { key, value })

  for (const name of Object.keys(given)) {
    if (!sections.includes(name)) left.push({ from: name, why: without[name] ?? 'gw has no counterpart' })
  }
  if ('defaultModel' in given && differs(given.defaultModel, before.defaultModel)) {
    set(['catalog', 'default_model'], given.defaultModel)
  }
  if ('serverToken' in given && differs(given.serverToken, before.serverToken)) {
    set(['access', 'server_token'], given.serverToken)
  }
  const rows = (section: 'egressPolicy' | 'providerFallback', table: string[], keys: Record<string, string>) => {
    const wanted = given[section]
    if (!isObject(wanted)) return
    for (const [name, value] of Object.entries(wanted)) {
      if (Object.hasOwn(keys, name)) {
        if (differs(value, before[section][name])) set([...table, keys[name]!], value as Json)
      } else if (section === 'egressPolicy' && (name === 'mode' || name === 'enabled')) continue
      else left.push({ from: `${section}.${name}`, why: 'say local = true at each of those providers' })
    }
  }
  rows('egressPolicy', ['egress'], egressKeys)
  rows('providerFallback', ['routing', 'fallback'], fallbackKeys)
  if (isObject(given.egressPolicy)) {
    const { enabled = before.egressPolicy.enabled, mode = before.egressPolicy.mode } = given.egressPolicy
    const wanted = enabled === false ? 'off' : mode === 'off' && enabled === true ? 'enforce' : mode
    if (differs(wanted, before.egressPolicy.mode)) set(['egress', 'mode'], wanted as Json)
  }
  if (isObject(given.authorization)) {
    const { tokens, legacyAdminCompatibility: legacy } = given.authorization
    if (legacy !== undefined && differs(legacy, before.authorization.legacyAdminCompatibility)) {
      set(['access', 'legacy_admin'], legacy as Json)
    }
    if (isObject(tokens)) {
      for (const id of Object.keys(before.authorization.tokens)) {
        if (!Object.hasOwn(tokens, id)) set(['access', 'tokens', id], undefined)
      }
      for (const [id, token] of Object.entries(tokens)) {
        const old: JsonObject = before.authorization.tokens[id] ?? {}
        for (const name of tokenKeys) {
          const value = isObject(token) ? token[name] as Json | undefined : undefined
          if (value !== undefined && differs(value, old[name])) set(['access', 'tokens', id, name], value)
        }
      }
    }
  }
  return { edits, left }
}
