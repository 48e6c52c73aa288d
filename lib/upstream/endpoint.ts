import type { Deployment, Provider } from '../catalog/mod.ts'
import { GwError } from '../base/mod.ts'
import type { ProtocolId } from '../protocol/mod.ts'

/** What is asked for, independent of any path. */
export type Surface =
  | 'chat'
  | 'responses'
  | 'messages'
  | 'generate'
  | 'count_tokens'
  | 'embeddings'
  | 'transcription'
  | 'models'

/** Where each protocol keeps its surfaces, behind a deployment's base URL. */
const paths: Record<ProtocolId, Partial<Record<Surface, string>>> = {
  'openai-chat': {
    chat: '/chat/completions',
    embeddings: '/embeddings',
    transcription: '/audio/transcriptions',
    models: '/models',
  },
  'openai-responses': { responses: '/responses', models: '/models' },
  'anthropic-messages': {
    messages: '/v1/messages',
    count_tokens: '/v1/messages/count_tokens',
    models: '/v1/models',
  },
  // Its other paths name the model and are made per call.
  gemini: { models: '/v1beta/models' },
}

/** The environment that `${NAME}` in a base URL is taken from. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Replaces each `${NAME}` and `${NAME:-default}`.
 *
 * @throws GwError `config.invalid` naming the variable that is not set
 */
function interpolate(text: string, environment: Environment): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}/g, (_, name: string, otherwise?: string) => {
    const value = environment[name] || otherwise
    if (value) return value
    throw new GwError('config.invalid', `the base URL ${text} needs the variable ${name}`, { hint: `export ${name}=…` })
  })
}

/** Hosts of locations that are no region, which are not named like the regions' hosts. */
const wideHosts: readonly (readonly [named: string, host: string])[] = [
  ['://global-aiplatform.googleapis.com', '://aiplatform.googleapis.com'],
  ['://us-aiplatform.googleapis.com', '://aiplatform.us.rep.googleapis.com'],
  ['://eu-aiplatform.googleapis.com', '://aiplatform.eu.rep.googleapis.com'],
]

/**
 * A base URL with its variables filled in.
 *
 * @throws GwError `config.invalid` naming the variable that is not set
 * @see https://cloud.google.com/vertex-ai/docs/general/locations
 */
export function baseOf(baseUrl: string, environment: Environment): string {
  if (!baseUrl.includes('${')) return baseUrl
  const base = interpolate(baseUrl, environment)
  const wide = wideHosts.find(([named]) => base.includes(named))
  return wide ? base.replace(...wide) : base
}

/**
 * The URL of a surface at a deployment, with the provider's own query and the caller's.
 *
 * @throws GwError `request.unsupported` when the deployment has no such surface, `config.invalid` for a bad base URL
 */
export function endpointUrl(
  provider: Pick<Provider, 'id' | 'query'> | null,
  deployment: Deployment,
  surface: Surface,
  search: string,
  environment: Environment,
): URL {
  const path = deployment.paths?.[surface] ?? paths[deployment.protocol][surface]
  if (path === undefined) {
    throw new GwError(
      'request.unsupported',
      `${provider?.id ?? 'the provider'} has no ${surface} by ${deployment.protocol}`,
    )
  }
  return urlOf(provider, deployment, path, search, environment)
}

/** The URL of any path at a deployment's base. The caller checks the path against what is allowed. */
export function urlOf(
  provider: Pick<Provider, 'id' | 'query'> | null,
  deployment: Deployment,
  path: string,
  search: string,
  environment: Environment,
): URL {
  let base = baseOf(deployment.baseUrl, environment)
  if (base.endsWith('/')) base = base.replace(/\/+$/, '')
  // People write both forms of these base URLs; the paths of the protocol begin with /v1.
  if (base.endsWith('/v1') && path.startsWith('/v1/')) base = base.slice(0, -3)
  else if (path.startsWith('/v1beta/')) base = base.replace(/\/v1beta(?:\/openai)?$/, '')
  const url = URL.parse(base + path + search)
  if (!url) throw new GwError('config.invalid', `the base URL of ${provider?.id ?? 'the provider'} is no URL: ${base}`)
  for (const [name, value] of Object.entries(provider?.query ?? {})) {
    if (!url.searchParams.has(name)) url.searchParams.set(name, value)
  }
  return url
}
