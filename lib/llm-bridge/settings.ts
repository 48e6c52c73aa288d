import { createHash } from 'node:crypto'
import { z } from 'zod'
import { GwError } from '../base/mod.ts'

/** The connection to one gateway behind OIDC. Holds no token: only the name it is kept under. */
export const llmSettings = z.object({
  gateway_url: z.string().default(''),
  tls_skip_verify: z.boolean().default(false),
  oidc: z.object({
    issuer: z.string().default(''),
    client_id: z.string().default(''),
    scopes: z.array(z.string()).default(['openid', 'offline_access']),
    audience: z.string().default(''),
    callback_port: z.number().default(0),
  }).prefault({}),
  proxy: z.object({ listen_port: z.number().default(0) }).prefault({}),
  bedrock: z.object({ compat: z.boolean().default(false), enable_1m: z.boolean().default(false) }).prefault({}),
  models: z.array(z.string()).default([]),
})

/** {@link llmSettings}, read. */
export type LlmSettings = z.infer<typeof llmSettings>

/** What `gw llm config set` was given: what is absent, empty or 0 leaves the stored value alone. */
export interface LlmChange {
  readonly gatewayUrl?: string | undefined
  readonly issuer?: string | undefined
  readonly clientId?: string | undefined
  readonly audience?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly proxyPort?: number | undefined
  readonly callbackPort?: number | undefined
  /** Of the connection to the gateway alone; logins are always checked. Three-state: absent keeps, false clears. */
  readonly tlsSkipVerify?: boolean | undefined
  /** Three-state: absent keeps, false clears. */
  readonly bedrockCompat?: boolean | undefined
  readonly enable1m?: boolean | undefined
  /** Given but empty clears. */
  readonly models?: readonly string[] | undefined
}

/** Port of the loopback proxy when none is set. */
export const defaultProxyPort = 14_000
/** Port of the login's redirect when none is set: the one that is registered with gateways of this kind. */
export const defaultCallbackPort = 8_666

/** The settings after a change. */
export function changed(before: LlmSettings, change: LlmChange): LlmSettings {
  const { oidc, proxy, bedrock } = before
  return {
    gateway_url: change.gatewayUrl || before.gateway_url,
    tls_skip_verify: change.tlsSkipVerify ?? before.tls_skip_verify,
    oidc: {
      issuer: change.issuer || oidc.issuer,
      client_id: change.clientId || oidc.client_id,
      scopes: change.scopes?.length ? [...change.scopes] : oidc.scopes,
      audience: change.audience || oidc.audience,
      callback_port: change.callbackPort || oidc.callback_port,
    },
    proxy: { listen_port: change.proxyPort || proxy.listen_port },
    bedrock: { compat: change.bedrockCompat ?? bedrock.compat, enable_1m: change.enable1m ?? bedrock.enable_1m },
    models: change.models ? change.models.filter((model) => model !== '') : before.models,
  }
}

/** Whether there is enough to log in with. */
export function isConfigured({ gateway_url, oidc }: LlmSettings): boolean {
  return gateway_url !== '' && oidc.issuer !== '' && oidc.client_id !== ''
}

/** Every problem of the settings, each with its field. Until all that is needed is set, only what is set is judged. */
function problemsOf(settings: LlmSettings): string[] {
  const { gateway_url, oidc, proxy } = settings
  const problems: string[] = []
  const need = (field: string, value: string) => {
    if (value === '' && isConfigured(settings)) problems.push(`${field}: is required`)
  }
  need('gateway_url', gateway_url)
  const gateway = gateway_url === '' ? null : URL.parse(gateway_url)
  if (gateway_url !== '' && gateway?.protocol !== 'https:') {
    problems.push('gateway_url: must be an https URL, also for localhost')
  } else if (gateway && (gateway.username || gateway.search || gateway.hash)) {
    problems.push('gateway_url: must not carry credentials, a query or a fragment')
  }
  const issuer = oidc.issuer === '' ? null : URL.parse(oidc.issuer)
  const local = issuer !== null && /^(localhost|\[::1\]|127(\.\d+){3})$/.test(issuer.hostname)
  if (oidc.issuer !== '' && issuer?.protocol !== 'https:' && !(local && issuer?.protocol === 'http:')) {
    problems.push('oidc.issuer: must be an https URL; http only for localhost')
  }
  for (
    const [field, port] of [['oidc.callback_port', oidc.callback_port], [
      'proxy.listen_port',
      proxy.listen_port,
    ]] as const
  ) {
    if (port !== 0 && (!Number.isInteger(port) || port < 1024 || port > 65535)) {
      problems.push(`${field}: must be 1024 to 65535`)
    }
  }
  return problems
}

/** Refuses settings with problems, all of them told. @throws GwError `config.invalid` */
export function assertSound(settings: LlmSettings): void {
  const problems = problemsOf(settings)
  if (problems.length === 0) return
  throw new GwError('config.invalid', `nothing was saved:\n${problems.join('\n')}`, { details: { problems } })
}

/** Refuses to go on without a connection. @throws GwError `config.invalid` */
export function assertConfigured(settings: LlmSettings): void {
  assertSound(settings)
  if (isConfigured(settings)) return
  throw new GwError('config.invalid', 'no LLM gateway is configured', {
    hint: 'gw llm config set --gateway-url URL --issuer URL --client-id ID',
  })
}

/** Scopes to ask for: what was set, and `offline_access` in any case. The stored list is not changed. */
export function effectiveScopes({ oidc }: LlmSettings): string[] {
  return oidc.scopes.includes('offline_access') ? [...oidc.scopes] : [...oidc.scopes, 'offline_access']
}

/** The name a gateway's tokens are kept under: `LLM_OAUTH_` and 4 bytes of SHA-256(gateway URL, NUL, issuer). */
export function tokenName({ gateway_url, oidc }: LlmSettings): string {
  const hash = createHash('sha256').update(`${gateway_url}\0${oidc.issuer}`).digest('hex')
  return `LLM_OAUTH_${hash.slice(0, 8)}`
}
