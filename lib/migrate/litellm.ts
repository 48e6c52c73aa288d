import { isObject, type Json } from '../base/mod.ts'
import { type Draft, pruned, type SecretText, textOf } from './draft.ts'

const strategies: Readonly<Record<string, string>> = {
  'simple-shuffle': 'weighted',
  'least-busy': 'least-used',
  'usage-based-routing': 'least-used',
  'usage-based-routing-v2': 'least-used',
  'latency-based-routing': 'lowest-latency',
  'cost-based-routing': 'lowest-price',
}

/** What LiteLLM calls a provider that gw calls otherwise. */
const renamed: Readonly<Record<string, string>> = {
  azure_ai: 'azure',
  gemini: 'google',
  vertex_ai: 'google-vertex',
  together_ai: 'together',
  fireworks_ai: 'fireworks',
  hosted_vllm: 'vllm',
  bedrock: 'amazon-bedrock',
  openai_like: 'openai-compatible',
}

const parameters = ['model', 'api_key', 'api_base', 'base_url', 'rpm', 'weight', 'extra_headers']

/** `config.yaml` of LiteLLM's proxy. */
export function fromLiteLlm(config: Record<string, unknown>, draft: Draft): void {
  const pools = new Map<string, Set<string>>()
  const accounts = new Map<string, string | null>()
  for (const [i, entry] of (Array.isArray(config.model_list) ? config.model_list : []).entries()) {
    const from = `model_list[${i}]`
    const params = isObject(entry) && isObject(entry.litellm_params) ? entry.litellm_params : {}
    const name = isObject(entry) ? textOf(entry.model_name) : undefined
    const model = textOf(params.model)
    if (!name || !model) {
      draft.leave(from, 'it has no model_name or no litellm_params.model')
      continue
    }
    const target = deployment({ from, model, params, accounts, draft })
    if (target === null) continue
    if (name.includes('*')) {
      draft.leave(`${from}.model_name`, 'every model of a provider can be asked for as provider/model')
    } else if (name !== target) (pools.get(name) ?? pools.set(name, new Set()).get(name)!).add(target)
    draft.leaveOthers(`${from}.litellm_params`, params, parameters)
    if (isObject(entry)) draft.leaveOthers(from, entry, ['model_name', 'litellm_params'])
  }
  for (const [name, targets] of pools) {
    const [only] = targets
    if (targets.size === 1) draft.set(`model_list ${name}`, ['catalog', 'aliases', name], only!)
    else draft.set(`model_list ${name}`, ['routing', 'pools', name], { members: [...targets] })
  }
  fromRouterSettings(isObject(config.router_settings) ? config.router_settings : {}, draft)
  fromGeneralSettings(isObject(config.general_settings) ? config.general_settings : {}, draft)
  const lite = isObject(config.litellm_settings) ? config.litellm_settings : {}
  if (typeof lite.request_timeout === 'number') {
    draft.set('litellm_settings.request_timeout', ['limits', 'head_secs'], lite.request_timeout)
  }
  draft.leaveOthers('litellm_settings', lite, ['request_timeout'], keyWhy)
  const done = ['model_list', 'router_settings', 'general_settings', 'litellm_settings']
  draft.leaveOthers('', config, done)
}

const keyWhy = 'gw has no counterpart; limits of keys are flags of gw tokens issue (--max-budget, --rpm-limit, …)'

interface Deployment {
  readonly from: string
  readonly model: string
  readonly params: Readonly<Record<string, unknown>>
  /** The provider of each account made so far: the same key is one account, however many models use it. */
  readonly accounts: Map<string, string | null>
  readonly draft: Draft
}

/** The model as gw names it, or `null` when its provider cannot be reached. */
function deployment({ from, model, params, accounts, draft }: Deployment): string | null {
  const slash = model.indexOf('/')
  const base = textOf(params.api_base) ?? textOf(params.base_url)
  const written = slash < 0 ? 'openai' : model.slice(0, slash)
  const id = slash < 0 ? model : model.slice(slash + 1)
  // An OpenAI model behind a base URL of its own is any compatible server: it gets a provider of its own.
  const provider = written === 'openai' && base ? hostName(base) ?? written : renamed[written] ?? written
  const secret = secretOf(params.api_key)
  const key = JSON.stringify([provider, base, secret])
  if (!accounts.has(key)) {
    accounts.set(
      key,
      draft.upstream({
        from,
        id: provider,
        provider,
        baseUrl: base,
        // A provider that gw knows finds its key in its usual variable.
        secret: secret ?? (base ? null : undefined),
        headers: isObject(params.extra_headers) ? params.extra_headers as Json : undefined,
        more: pruned({
          requests_per_minute: typeof params.rpm === 'number' ? params.rpm : undefined,
          weight: typeof params.weight === 'number' ? params.weight : undefined,
          ...(secret === null && !base ? usualVariable(written) : {}),
        }) as Record<string, Json>,
      }),
    )
  }
  const at = accounts.get(key)
  return at == null ? null : `${at}/${id}`
}

const usualVariable = (provider: string): Record<string, Json> => ({
  token_env: `${provider.toUpperCase().replace(/[^A-Z0-9]/g, '_')}_API_KEY`,
})

const hostName = (url: string): string | null => {
  const host = URL.parse(url)?.hostname
  return !host || host === 'api.openai.com' ? null : host
}

function secretOf(value: unknown): SecretText | null {
  const text = textOf(value)
  if (text === undefined) return null
  return text.startsWith('os.environ/') ? { env: text.slice('os.environ/'.length) } : { literal: text }
}

function fromRouterSettings(settings: Record<string, unknown>, draft: Draft): void {
  const strategy = textOf(settings.routing_strategy)
  if (strategy) {
    const here = strategies[strategy]
    if (here) draft.set('router_settings.routing_strategy', ['routing', 'strategy'], here)
    else draft.leave('router_settings.routing_strategy', `gw has no strategy ${strategy}`)
  }
  for (const [name, model] of Object.entries(isObject(settings.model_group_alias) ? settings.model_group_alias : {})) {
    const to = typeof model === 'string' ? model : isObject(model) ? textOf(model.model) : undefined
    if (to) draft.set(`router_settings.model_group_alias.${name}`, ['catalog', 'aliases', name], to)
  }
  if (typeof settings.num_retries === 'number') {
    draft.set(
      'router_settings.num_retries',
      ['routing', 'fallback', 'max_attempts'],
      Math.max(1, settings.num_retries + 1),
    )
  }
  draft.leaveOthers('router_settings', settings, ['routing_strategy', 'model_group_alias', 'num_retries'])
}

function fromGeneralSettings(settings: Record<string, unknown>, draft: Draft): void {
  if (settings.master_key !== undefined) {
    draft.leave(
      'general_settings.master_key',
      'a secret: the first gw serve makes an owner token, or set TOKEN_ADMIN_KEY',
    )
  }
  if (settings.database_url !== undefined) {
    draft.leave('general_settings.database_url', 'gw keeps its own database; issue the keys anew with gw tokens issue')
  }
  draft.leaveOthers('general_settings', settings, ['master_key', 'database_url'], keyWhy)
}
