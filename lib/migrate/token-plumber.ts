import { isObject, type Json } from '../base/mod.ts'
import { type Draft, membersOf, type SecretText, textOf, textsOf } from './draft.ts'

const providerKeys = [
  'slug',
  'name',
  'id',
  'base_url',
  'auth',
  'credentials',
  'default_headers',
  'default_query',
  'models',
]
  .concat(['endpoints', 'api_key', 'api_key_env'])
const credentialKeys = ['token', 'token_env', 'token_command', 'kind', 'account_id', 'account_id_env']
  .concat(['account_id_command', 'cache_ttl_secs', 'name'])

/** `config.toml` of token-plumber. */
export function fromTokenPlumber(config: Record<string, unknown>, draft: Draft): void {
  const { server, providers } = config
  if (isObject(server)) {
    const listen = textOf(server.listen) ?? textOf(server.bind)
    const at = listen && /^(.*):(\d+)$/.exec(listen)
    if (at) {
      draft.set('server.listen', ['server', 'host'], at[1]!.replace(/^\[|\]$/g, ''))
      draft.set('server.listen', ['server', 'port'], Number(at[2]))
    }
    if (textOf(server.host)) draft.set('server.host', ['server', 'host'], textOf(server.host)!)
    if (typeof server.port === 'number') draft.set('server.port', ['server', 'port'], server.port)
    draft.leaveOthers('server', server, ['listen', 'bind', 'host', 'port'], 'issue tokens with gw tokens issue')
  }
  const all: [string, Record<string, unknown>][] = Array.isArray(providers)
    ? providers.filter(isObject).map((one, i) => [textOf(one.slug) ?? textOf(one.name) ?? `provider-${i + 1}`, one])
    : membersOf(providers)
  for (const [slug, provider] of all) fromProvider(slug, provider, draft)
  for (
    const [name, why] of [['logging', 'see [usage]'], ['harness', 'see gw setup'], ['policy', 'see [mcp] and egress']]
  ) {
    if (name! in config) draft.leave(name!, `another form here: ${why}`)
  }
  draft.leaveOthers('', config, ['server', 'providers', 'logging', 'harness', 'policy'])
}

function fromProvider(slug: string, provider: Record<string, unknown>, draft: Draft): void {
  const from = `providers.${slug}`
  const credentials: Record<string, unknown>[] = Array.isArray(provider.credentials)
    ? provider.credentials.filter(isObject)
    : []
  // The shorthand of older files is a credential like the others.
  if (textOf(provider.api_key)) credentials.push({ token: provider.api_key })
  if (textOf(provider.api_key_env)) credentials.push({ token_env: provider.api_key_env })
  const auth = authOf(provider.auth)
  if (credentials.length === 0) credentials.push({})
  for (const [i, credential] of credentials.entries()) {
    const at = credentials.length > 1 ? `${from}.credentials[${i}]` : from
    draft.upstream({
      from: at,
      id: textOf(credential.name) ?? (i === 0 ? slug : `${slug}-${i + 1}`),
      provider: slug,
      baseUrl: textOf(provider.base_url),
      protocol: auth === 'anthropic' ? 'anthropic-messages' : undefined,
      auth,
      headers: i === 0 && isObject(provider.default_headers) ? provider.default_headers as Json : undefined,
      query: i === 0 && isObject(provider.default_query) ? provider.default_query as Json : undefined,
      models: textsOf(provider.models),
      secret: secretOf(credential),
      more: moreOf(credential),
    })
    draft.leaveOthers(at, credential, credentialKeys)
  }
  if (provider.endpoints !== undefined) draft.leave(`${from}.endpoints`, `write them as providers.${slug}.paths`)
  draft.leaveOthers(from, provider, providerKeys)
}

function authOf(auth: unknown): Json | undefined {
  const type = isObject(auth) ? textOf(auth.type) : textOf(auth)
  if (type === 'header' || type === 'query') {
    const name = isObject(auth) ? textOf(auth.name) ?? textOf(auth.header) ?? textOf(auth.param) : undefined
    return name === undefined ? undefined : { type, name }
  }
  return type
}

function secretOf(credential: Readonly<Record<string, unknown>>): SecretText | null | undefined {
  const env = textOf(credential.token_env)
  const literal = textOf(credential.token)
  const reference = literal === undefined ? null : /^\$\{([A-Za-z_]\w*)\}$/.exec(literal)
  if (env !== undefined) return { env }
  if (reference) return { env: reference[1]! }
  if (literal !== undefined) return { literal }
  return credential.token_command === undefined ? null : undefined
}

function moreOf(credential: Readonly<Record<string, unknown>>): Record<string, Json> {
  const names = ['token_command', 'kind', 'account_id', 'account_id_env', 'account_id_command', 'cache_ttl_secs']
  return Object.fromEntries(
    names.flatMap((name) => credential[name] === undefined ? [] : [[name, credential[name] as Json]]),
  )
}
