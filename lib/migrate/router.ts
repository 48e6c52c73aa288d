import { isObject, type Json, parseJson } from '../base/mod.ts'
import {
  claudeFolders,
  compatibleUpstream,
  compatibleVariables,
  type FileVariable,
  foreignVariables,
  fromText,
  settings,
} from '../config/mod.ts'
import { openRouterRecord } from '../secrets/mod.ts'
import { type Draft, type MigrationContext, type SecretText, textOf, textsOf } from './draft.ts'

/** Secrets that gw reads under the same name: they have no business in a config file. */
const secretVariables = new Set(['TOKEN_SECRET', 'TOKEN_ADMIN_KEY', 'OPEN_LLM_AUTH_TOKEN'])

/** Variables that are left behind, and why, by the beginning of their names. */
const reasons: readonly (readonly [prefix: string, why: string])[] = [
  ['ROUTING_MODE', 'gw chooses between accounts by itself; [routing] says how'],
  ['DATA_DIR', 'the data of gw is in its own home; take tokens over with gw import lr --data-dir'],
  ['CLAUDE_CLI_BIN', 'gw does not run the program to answer requests'],
  ['EXPERIMENTAL_COMPATIBILITY', 'gw adds no other identity to a request'],
  ['UPSTREAM_API_FORMAT', 'the provider of an account says which format it speaks'],
  ['ALLOW_ANONYMOUS_ADMIN', 'gw has no anonymous admin'],
  ['MPP_', 'gw takes no payments here'],
  ['GONKA_', 'declare the network as a provider with the key of a broker'],
  ['CRATER_', 'gw has no such upstream'],
  ['ACTIVITYPUB_', 'gw serves no actor documents'],
]

const claudeHome = ['CLAUDE_CODE_HOME', 'ADDITIONAL_ACCOUNT_DIRS'] as const

/**
 * `.lenv`, `.env` and `providers.lenv` of Link.Assistant.Router.
 *
 * @param records the JSON of each `PROVIDER:` line
 */
export async function fromRouter(
  variables: readonly FileVariable[],
  records: readonly string[],
  draft: Draft,
  context: MigrationContext,
): Promise<void> {
  const values = new Map(variables.map(({ name, value }) => [name, value]))
  const types = new Map(settings().map((setting) => [setting.path, setting.type]))
  for (const { name, value } of variables) {
    const own = foreignVariables.find(({ variable }) => variable === name)
    if (secretVariables.has(name)) {
      draft.leave(name, `a secret: keep it in the environment, where gw reads it as ${name}`)
    } else if (value === '') draft.leave(name, 'empty')
    else if (own?.path) {
      const meant = own.read ? own.read(value) : fromText(types.get(own.path) ?? 'string', value)
      if (meant === undefined) draft.leave(name, 'changes nothing')
      else draft.set(name, own.path.split('.'), meant)
    } else if (compatibleVariables.includes(name) || (claudeHome as readonly string[]).includes(name)) continue
    else if (name === 'UPSTREAM_BASE_URL') upstreamUrl(value, values.get('UPSTREAM_PROVIDER') ?? 'anthropic', draft)
    else if (name === 'UPSTREAM_PROVIDER') draft.leave(name, 'the model of a request says which provider serves it')
    else draft.leave(name, reasons.find(([prefix]) => name.startsWith(prefix))?.[1] ?? 'gw has no counterpart')
  }
  for (const record of records) await provider(record, draft, context)
  const get = (name: string) => values.get(name)
  for (const { id, path, variable } of claudeFolders(get)) {
    draft.upstream({ from: variable, id, provider: 'anthropic', more: { foreign: { tool: 'claude-code', path } } })
  }
  compatibleProvider(get, draft, context)
}

function upstreamUrl(url: string, provider: string, draft: Draft): void {
  if (provider !== 'anthropic') draft.leave('UPSTREAM_BASE_URL', `it belongs to ${provider}`)
  else if (/^https:\/\/api\.anthropic\.com\/?$/.test(url)) draft.leave('UPSTREAM_BASE_URL', 'the default')
  else draft.set('UPSTREAM_BASE_URL', ['providers', 'anthropic', 'base_url'], url.replace(/\/+$/, ''))
}

function compatibleProvider(
  get: (name: string) => string | undefined,
  draft: Draft,
  context: MigrationContext,
): void {
  const found = compatibleUpstream(get)
  if (!found) return
  const { name, baseUrl, keyVariable, key, model, models } = found
  const id = draft.upstream({
    from: 'OPENAI_COMPATIBLE_*',
    id: name,
    provider: name,
    baseUrl,
    models,
    secret: keyVariable !== null && (key === null || context.env(keyVariable))
      ? { env: keyVariable }
      : key !== null
      ? { literal: key }
      : null,
  })
  if (id && model) draft.set('OPENAI_COMPATIBLE_MODEL', ['catalog', 'default_model'], `${id}/${model}`)
}

/** One line of `providers.lenv`. */
async function provider(text: string, draft: Draft, context: MigrationContext): Promise<void> {
  let record: Json
  try {
    record = parseJson(text)
  } catch {
    return draft.leave('PROVIDER', 'the record is no JSON')
  }
  return await routerProvider(record, draft, context)
}

const kinds = ['openai-compatible', 'openai', 'openai_like', 'litellm']
const recordKeys = ['name', 'kind', 'base_url', 'default_model', 'models', 'api_key', 'api_key_env', 'enabled']
  .concat(['encrypted_api_key', 'has_encrypted_api_key'])

/** One provider record, whatever form it came in. */
export async function routerProvider(record: Json, draft: Draft, context: MigrationContext): Promise<void> {
  const name = isObject(record) ? textOf(record.name) : undefined
  if (!isObject(record) || name === undefined) return draft.leave('PROVIDER', 'the record has no name')
  const from = `PROVIDER ${name}`
  if (record.kind !== undefined && !kinds.includes(String(record.kind))) {
    return draft.leave(from, `gw knows no kind ${String(record.kind).slice(0, 60)} of provider`)
  }
  draft.leaveOthers(from, record, recordKeys)
  const secret = await keyOf(record, from, draft, context)
  const id = draft.upstream({
    from,
    id: name,
    provider: name,
    baseUrl: textOf(record.base_url),
    models: textsOf(record.models),
    secret,
    more: record.enabled === false ? { enabled: false } : {},
  })
  const model = textOf(record.default_model)
  if (id && model) draft.leave(`${from}.default_model`, `a default is for all: gw models set-default ${id}/${model}`)
}

async function keyOf(
  record: Readonly<Record<string, unknown>>,
  from: string,
  draft: Draft,
  context: MigrationContext,
): Promise<SecretText | null> {
  const env = textOf(record.api_key_env)
  const key = await writtenKey(record, from, draft, context)
  if (env === undefined) return key === null ? null : { literal: key }
  return key === null ? { env } : { env, literal: key }
}

/** The key in the record itself: in clear, or sealed. */
async function writtenKey(
  record: Readonly<Record<string, unknown>>,
  from: string,
  draft: Draft,
  context: MigrationContext,
): Promise<string | null> {
  const literal = textOf(record.api_key)
  if (literal !== undefined) return literal
  const sealed = textOf(record.encrypted_api_key)
  if (sealed === undefined) return null
  const key = context.env('TOKEN_SECRET')
  if (!key) {
    draft.leave(`${from}.encrypted_api_key`, 'sealed: set TOKEN_SECRET to its value there and import again')
    return null
  }
  try {
    return await openRouterRecord(sealed, key)
  } catch {
    draft.leave(`${from}.encrypted_api_key`, 'it does not open with this TOKEN_SECRET')
    return null
  }
}
