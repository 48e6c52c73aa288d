import type { Json } from '../base/mod.ts'

/** What several variables of another gateway come to together. */
export interface ForeignGroup {
  readonly path: readonly string[]
  readonly value: Json
  /** The variable that it is told by. */
  readonly variable: string
}

/** An OpenAI-compatible upstream as its variables describe it. */
export interface CompatibleUpstream {
  readonly name: string
  readonly baseUrl: string
  /** The variable that names another one, which holds the key. */
  readonly keyVariable: string | null
  /** The key itself. */
  readonly key: string | null
  readonly model: string | null
  readonly models: readonly string[]
}

const prefix = 'OPENAI_COMPATIBLE_'

/** The variables of such an upstream. */
export const compatibleVariables = ['PROVIDER_NAME', 'BASE_URL', 'API_KEY', 'API_KEY_ENV', 'MODEL', 'MODELS'].map((
  name,
) => prefix + name)

/** The upstream that `OPENAI_COMPATIBLE_*` describes; `null` when none of them is set. */
export function compatibleUpstream(get: (variable: string) => string | undefined): CompatibleUpstream | null {
  const text = (name: string) => get(prefix + name)?.trim() || null
  if (!compatibleVariables.some((name) => (get(name) ?? '') !== '')) return null
  return {
    name: text('PROVIDER_NAME') ?? 'litellm',
    baseUrl: (text('BASE_URL') ?? 'http://localhost:4000/v1').replace(/\/+$/, ''),
    keyVariable: text('API_KEY_ENV'),
    key: text('API_KEY'),
    model: text('MODEL'),
    models: (text('MODELS') ?? '').split(',').map((one) => one.trim()).filter(Boolean),
  }
}

/** The folders of Claude Code logins that `CLAUDE_CODE_HOME` and `ADDITIONAL_ACCOUNT_DIRS` name, in their order. */
export function claudeFolders(
  get: (variable: string) => string | undefined,
): readonly { readonly id: string; readonly path: string; readonly variable: string }[] {
  const first = get('CLAUDE_CODE_HOME')?.trim() ?? ''
  const more = (get('ADDITIONAL_ACCOUNT_DIRS') ?? '').split(',').map((folder) => folder.trim())
  const all = [
    { path: first, variable: 'CLAUDE_CODE_HOME' },
    ...more.map((path) => ({ path, variable: 'ADDITIONAL_ACCOUNT_DIRS' })),
  ].filter(({ path }) => path !== '')
  return all.map(({ path, variable }, i) => ({ id: i === 0 ? 'claude' : `claude-${i + 1}`, path, variable }))
}

/** The provider that these variables are about where they name none. */
const routed = 'anthropic'

/** Whether a URL leads to this machine: such an upstream may be reached without TLS. */
const isLocal = (url: string): boolean => /^https?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(?=[:/]|$)/i.test(url)

/**
 * The accounts and providers that the grouped variables of Link.Assistant.Router mean. A key stays in its variable: the
 * account names the variable.
 *
 * @see requirements LR-1, LR-7.1 and LR-10.4
 */
export function foreignGroups(get: (variable: string) => string | undefined): ForeignGroup[] {
  const out: ForeignGroup[] = []
  const chosen = get('UPSTREAM_PROVIDER')?.trim().toLowerCase() ?? ''
  const compatible = compatibleUpstream(get)
  if (compatible) {
    const { name, baseUrl, keyVariable, key, model, models } = compatible
    const source = keyVariable !== null && get(keyVariable)
      ? keyVariable
      : key !== null
      ? `${prefix}API_KEY`
      : keyVariable
    const from = compatibleVariables.find((one) => (get(one) ?? '') !== '')!
    const provider: Readonly<Record<string, Json>> = {
      base_url: baseUrl,
      protocol: 'openai-chat',
      ...(source === null ? { auth: 'none' } : {}),
      ...(isLocal(baseUrl) ? { local: true } : {}),
      ...(models.length > 0 ? { models: Object.fromEntries(models.map((id) => [id, {}])) } : {}),
    }
    for (const [key, value] of Object.entries(provider)) {
      out.push({ path: ['providers', name, key], variable: from, value })
    }
    out.push({
      path: ['accounts', name],
      variable: from,
      value: { provider: name, ...(source === null ? {} : { token_env: source }) },
    })
    if (model !== null && ['', 'auto', 'openai-compatible'].includes(chosen)) {
      out.push({ path: ['catalog', 'default_model'], variable: `${prefix}MODEL`, value: `${name}/${model}` })
    }
  }
  for (const { id, path, variable } of claudeFolders(get)) {
    out.push({
      path: ['accounts', id],
      variable,
      value: { provider: routed, foreign: { tool: 'claude-code', path } },
    })
  }
  const base = get('UPSTREAM_BASE_URL')?.trim().replace(/\/+$/, '') ?? ''
  if (base !== '' && (chosen === '' || chosen === 'auto' || chosen === routed)) {
    out.push({ path: ['providers', routed, 'base_url'], variable: 'UPSTREAM_BASE_URL', value: base })
  }
  return out
}
