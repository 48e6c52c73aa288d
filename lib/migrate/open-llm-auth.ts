import { isObject, type Json } from '../base/mod.ts'
import { type Draft, membersOf, pruned, type SecretText, textOf, textsOf } from './draft.ts'

const known = ['authProfiles', 'authOrder', 'auth', 'providers', 'models', 'authorization', 'egressPolicy']
  .concat(['providerFallback', 'defaultModel', 'serverToken', 'activeProviderIds', 'durableState', 'taskContract'])

const protocols: Readonly<Record<string, string>> = {
  'openai-completions': 'openai-chat',
  'openai-responses': 'openai-responses',
  'anthropic-messages': 'anthropic-messages',
  'google-generative-ai': 'gemini',
}

/** `config.json` of Open LLM Auth. */
export function fromOpenLlmAuth(config: Record<string, unknown>, draft: Draft): void {
  const auth = isObject(config.auth) ? config.auth : {}
  const models = isObject(config.models) ? config.models : {}
  const profiles = { ...table(config.authProfiles), ...table(auth.profiles) }
  const order = { ...table(config.authOrder), ...table(auth.order) }
  const providers = { ...table(config.providers), ...table(models.providers) }
  const served = new Set<string>()
  for (const [id, profile] of membersOf(profiles)) {
    const provider = textOf(profile.provider) ?? id.split(':')[0]!
    served.add(provider)
    fromProfile(id, provider, profile, {
      declared: table(table(providers)[provider]),
      order: textsOf(order[provider]),
      draft,
    })
  }
  for (const [id, provider] of membersOf(providers)) {
    const from = `providers.${id}`
    if (!served.has(id)) {
      draft.upstream({ from, id, provider: id, secret: secretOf(provider.apiKey), ...reachOf(provider) })
    } else if (provider.apiKey !== undefined) {
      draft.upstream({ from, id: `${id}-key`, provider: id, secret: secretOf(provider.apiKey), ...reachOf(provider) })
    }
    draft.leaveOthers(from, provider, ['baseUrl', 'apiKey', 'auth', 'api', 'headers', 'authHeader', 'models'])
  }
  if (textOf(config.defaultModel)) draft.set('defaultModel', ['catalog', 'default_model'], textOf(config.defaultModel)!)
  fromAuthorization(config, draft)
  fromEgress(table(config.egressPolicy), draft)
  fromFallback(table(config.providerFallback), draft)
  if (config.activeProviderIds !== undefined) {
    draft.leave('activeProviderIds', 'a provider is in use while an account stands with it')
  }
  if (config.durableState !== undefined) draft.leave('durableState', 'the database of gw is always on')
  if (config.taskContract !== undefined) draft.leave('taskContract', 'gw has no counterpart')
  draft.leaveOthers('', config, known)
}

function fromProfile(
  id: string,
  provider: string,
  profile: Readonly<Record<string, unknown>>,
  { declared, order, draft }: { declared: Record<string, unknown>; order: readonly string[]; draft: Draft },
): void {
  const from = `authProfiles.${id}`
  const type = textOf(profile.type) ?? 'api_key'
  if (type === 'oauth') return draft.leave(from, `a login ends when two programs renew it: gw auth login ${provider}`)
  if (type === 'cli') return draft.leave(from, 'gw does not run the program to answer requests')
  const place = order.indexOf(id)
  const secret = secretOf(type === 'token' ? profile.token ?? profile.key : profile.key ?? profile.token)
  if (secret === null) return draft.leave(from, 'it holds no key')
  draft.upstream({
    from,
    id: id.replace(/:default$/, ''),
    provider,
    secret,
    ...reachOf(declared),
    ...(textOf(profile.baseUrl) ? { baseUrl: textOf(profile.baseUrl) } : {}),
    more: pruned({
      priority: place < 0 ? undefined : order.length - place,
      account_id: textOf(profile.accountId),
      label: textOf(profile.email),
    }) as Record<string, Json>,
  })
}

function reachOf(provider: Readonly<Record<string, unknown>>) {
  const list = Array.isArray(provider.models) ? provider.models : []
  return {
    baseUrl: textOf(provider.baseUrl),
    protocol: protocols[textOf(provider.api) ?? ''],
    headers: isObject(provider.headers) && Object.keys(provider.headers).length > 0
      ? provider.headers as Json
      : undefined,
    models: list.flatMap((one) => {
      const id = isObject(one) ? textOf(one.id) : textOf(one)
      return id === undefined ? [] : [id]
    }),
  }
}

function fromAuthorization(config: Record<string, unknown>, draft: Draft): void {
  const { tokens, legacyAdminCompatibility } = table(config.authorization)
  for (const [id, token] of membersOf(tokens)) {
    const scopes = token.admin === true ? ['admin'] : textsOf(token.scopes)
    draft.leave(
      `authorization.tokens.${id}`,
      `a client's secret: gw tokens issue --label ${id}${scopes.length > 0 ? ` --scopes ${scopes.join(',')}` : ''}`,
    )
  }
  if (legacyAdminCompatibility === false) {
    draft.set('authorization.legacyAdminCompatibility', ['access', 'legacy_admin'], false)
  }
  if (config.serverToken !== undefined) {
    draft.leave('serverToken', 'a secret: keep it in the environment, where gw reads it as OPEN_LLM_AUTH_TOKEN')
  }
}

function fromEgress(policy: Record<string, unknown>, draft: Draft): void {
  const mode = policy.enabled === false ? 'off' : textOf(policy.mode)
  const rows: readonly [string, string, Json | undefined][] = [
    ['mode', 'mode', mode],
    ['resolveDns', 'resolve_dns', policy.resolveDns as Json],
    ['failClosed', 'fail_closed', policy.failClosed as Json],
    ['enforceHttps', 'enforce_https', policy.enforceHttps as Json],
    ['denyHosts', 'deny_hosts', Array.isArray(policy.denyHosts) ? textsOf(policy.denyHosts) : undefined],
    ['denyCidrs', 'deny_cidrs', Array.isArray(policy.denyCidrs) ? textsOf(policy.denyCidrs) : undefined],
  ]
  for (const [from, to, value] of rows) {
    if (value !== undefined) draft.set(`egressPolicy.${from}`, ['egress', to], value)
  }
  if (policy.allowLocalProviders !== undefined) {
    draft.leave('egressPolicy.allowLocalProviders', 'say local = true at each of those providers')
  }
}

function fromFallback(fallback: Record<string, unknown>, draft: Draft): void {
  const rows: readonly [string, string][] = [['enabled', 'enabled'], ['order', 'order'], [
    'maxAttempts',
    'max_attempts',
  ]]
  for (const [from, to] of [...rows, ['retryStatusCodes', 'retry_statuses'] as const]) {
    if (fallback[from] !== undefined) {
      draft.set(`providerFallback.${from}`, ['routing', 'fallback', to], fallback[from] as Json)
    }
  }
}

/** A secret as it is written there: `${NAME}` and NAME_IN_CAPITALS name a variable. */
function secretOf(value: unknown): SecretText | null {
  const text = textOf(value)
  if (text === undefined) return null
  const variable = /^\$\{([A-Za-z_]\w*)\}$/.exec(text)?.[1] ?? /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.exec(text)?.[0]
  return variable ? { env: variable } : { literal: text }
}

const table = (value: unknown): Record<string, unknown> => isObject(value) ? value : {}
