import type { ModelOverlay, ProviderOverlay } from './config.ts'
import type { AuthScheme, Deployment, ModelPrice, Provider } from './provider.ts'

const micros = (usd: number): number => Math.round(usd * 1_000_000)

/** Prices from the config in the catalogue's own units, or `null` when it names none. */
export function overlayPrice(overlay: ModelOverlay | undefined): ModelPrice | null {
  const price = overlay?.price
  if (!price) return null
  const optional = (usd: number | undefined) => usd === undefined ? null : micros(usd)
  return {
    inputMicros: micros(price.input),
    outputMicros: micros(price.output),
    cachedInputMicros: optional(price.cached_input),
    cacheWriteMicros: optional(price.cache_write),
    cacheWrite1hMicros: optional(price.cache_write_1h),
    ...(price.request === undefined ? {} : { requestMicros: Math.round(price.request * 1000) }),
    ...(price.image === undefined ? {} : { imageMicros: micros(price.image) }),
    ...(price.audio === undefined ? {} : { audioMicros: micros(price.audio) }),
    source: 'config',
  }
}

const authOf = (auth: ProviderOverlay['auth']): AuthScheme | undefined =>
  typeof auth === 'string' ? { type: auth } as AuthScheme : auth as AuthScheme | undefined

/**
 * A provider with its owner's fields laid over the shipped row, field by field. A base URL or protocol of the owner's
 * replaces the shipped deployments: a key must not go to two places because one was renamed.
 */
export function overlayProvider(id: string, overlay: ProviderOverlay, shipped: Provider | null): Provider {
  const auth = authOf(overlay.auth) ?? shipped?.auth ?? { type: 'bearer' }
  const base: Provider = shipped ?? { id, name: id, aliases: [], env: [], auth, deployments: [], docs: '' }
  const deployments = deploymentsOf(overlay, base)
  return {
    ...base,
    auth,
    deployments,
    ...(overlay.name === undefined ? {} : { name: overlay.name }),
    ...(overlay.aliases === undefined ? {} : { aliases: overlay.aliases }),
    ...(overlay.env === undefined ? {} : { env: overlay.env }),
    ...(overlay.headers === undefined ? {} : { headers: { ...base.headers, ...overlay.headers } }),
    ...(overlay.query === undefined ? {} : { query: { ...base.query, ...overlay.query } }),
    ...(overlay.local === undefined ? {} : { local: overlay.local }),
    ...(overlay.quirks === undefined ? {} : { quirks: overlay.quirks }),
    ...(overlay.proxy_paths === undefined ? {} : { proxyPaths: overlay.proxy_paths }),
    ...(overlay.trains === undefined ? {} : { trains: overlay.trains }),
    ...(overlay.zero_retention === undefined ? {} : { zeroRetention: overlay.zero_retention }),
    ...(overlay.quantization === undefined ? {} : { quantization: overlay.quantization }),
  }
}

function deploymentsOf(overlay: ProviderOverlay, base: Provider): readonly Deployment[] {
  const { base_url: url, protocol, capabilities, paths } = overlay
  const baseUrl = url?.replace(/\/+$/, '')
  if (baseUrl === undefined && protocol === undefined) {
    if (paths === undefined && capabilities === undefined) return base.deployments
    return base.deployments.map((deployment) => ({
      ...deployment,
      ...(capabilities ? { capabilities } : {}),
      ...(paths ? { paths: { ...deployment.paths, ...paths } } : {}),
    }))
  }
  if (protocol === undefined && capabilities === undefined) {
    // What is served side by side at the vendor's address is served side by side at the owner's.
    const together = base.deployments.filter((deployment) => deployment.baseUrl === base.deployments[0]!.baseUrl)
    if (together.length > 1) {
      return together.map((deployment) => ({
        ...deployment,
        baseUrl: baseUrl!,
        ...(paths ? { paths: { ...deployment.paths, ...paths } } : {}),
      }))
    }
  }
  const model = base.deployments.find((deployment) => protocol === undefined || deployment.protocol === protocol) ??
    base.deployments[0]
  return [{
    protocol: protocol ?? model?.protocol ?? 'openai-chat',
    capabilities: capabilities ?? model?.capabilities ?? ['chat', 'embeddings', 'transcription'],
    baseUrl: baseUrl ?? model?.baseUrl ?? '',
    ...(paths || model?.paths ? { paths: { ...model?.paths, ...paths } } : {}),
  }]
}
