import { type AccountId, GwError, type Secret } from '../base/mod.ts'
import { allowsProvider, requireScope } from '../access/mod.ts'
import { formatTarget, type Target } from '../accounts/mod.ts'
import type { Provider } from '../catalog/mod.ts'
import type { Credential } from '../credentials/mod.ts'
import { noTokens, upstreamFailure, wires } from '../protocol/mod.ts'
import { errorResponse } from './errors.ts'
import { type Field, forwardHeaders, replyFields } from '../upstream/mod.ts'
import { Answer } from './answer.ts'
import { readProviderKeys } from './ask.ts'
import { readBytes } from './body.ts'
import type { Call } from './call.ts'
import { errorOf } from './errors.ts'
import { relayWhole } from './relay-whole.ts'
import type { Rooms } from './seams.ts'
import { Ledger } from './settle.ts'
import type { UnderWay } from './under-way.ts'

/** What raw calls are planned and judged under, where others have the name of a model. */
export const rawModel = 'raw-call'

/**
 * A raw call of a provider's API with the account gw holds there: scope `proxy`, and only the paths its catalogue entry
 * lists. The provider's base URL comes from the config, never from the caller.
 *
 * @throws GwError `access.scope`, `provider.not_found`, `access.denied`, and what the call itself may raise
 */
export async function proxy(
  call: Call,
  slug: string,
  path: string,
  rooms: Rooms,
  underWay: UnderWay,
): Promise<Response> {
  const principal = await rooms.access.authenticate(call.headers, call.peer)
  requireScope(principal, 'proxy')
  const provider = rooms.directory.provider(slug.toLowerCase())
  if (!provider) {
    throw new GwError('provider.not_found', `no provider ${slug.slice(0, 64)}`, { hint: 'gw providers list' })
  }
  if (!allowsProvider(principal, provider.id)) {
    throw new GwError('access.denied', `this token may not use ${provider.id}`)
  }
  assertPlainPath(path)
  if (!allowedPaths(provider).some((pattern) => matchesPath(pattern, path))) {
    throw new GwError('access.denied', `${path || '/'} is not a path of ${provider.id} that gw passes on`, {
      hint: `add it to providers.${provider.id}.proxy_paths`,
    })
  }
  const keys = readProviderKeys(call.headers, rooms.limits)
  if (keys.size > 0) requireScope(principal, 'provider-key')
  const body = call.method === 'GET' || call.method === 'HEAD'
    ? null
    : await readBytes(call.request, rooms.limits, rooms.ticker)
  const own = keys.get(provider.id)
  const { target, credential } = own
    ? ownTarget(provider, own)
    : await firstLeased(rooms.directory.targets(provider, principal, call.headers), call, rooms)
  const ledger = new Ledger(call, rooms)
  const answer = new Answer((because) => errorResponse(because, call.dialect), call.peer.openDownstream)
  const headers: Field[] = forwardHeaders(call.headers, { raw: true })
  ledger.begin(target)
  const sending = rooms.upstream.send({
    target,
    credential,
    surface: { path },
    method: call.method,
    search: call.search,
    headers,
    body,
  })
  underWay.add(answer, ledger)
  answer.follow(call.request.signal)
  answer.serve({ left: () => sending.cancel(), drained() {} })
  const reply = await sending.reply
  if (!reply.ok) {
    ledger.end(reply.failure)
    // A refusal of one raw path says nothing about the others; a limit does.
    const { kind } = reply.failure
    const limited = kind === 'rate_limited' || kind === 'quota_exhausted'
    if (!own && limited) rooms.observer.failed({ ...target, model: rawModel }, reply.failure)
    const error = errorOf(reply.failure, provider.id)
    ledger.close({ outcome: 'failed', status: reply.answer?.status ?? error.status, error: error.message })
    return reply.answer
      ? new Response(reply.answer.body, {
        status: reply.answer.status,
        headers: replyFields(reply.answer.headers, null),
      })
      : errorResponse(error, call.dialect)
  }
  ledger.head(reply.status)
  const failure = await relayWhole({
    source: reply.body,
    length: reply.length,
    wire: wires[target.deployment.protocol] ?? null,
    json: false,
    reported: () => upstreamFailure('server_error', 'the provider reported an error'),
    answer,
    status: reply.status,
    fields: [...replyFields(reply.headers, credential.secret), ['x-gw-request-id', call.id]],
    limits: { ...rooms.limits, replyBytes: Number.MAX_SAFE_INTEGER },
    ticker: rooms.ticker,
    eager: true,
    asStream: null,
    committed: () => ledger.firstByte(),
    ended({ failure, tokens, bytes }) {
      ledger.end(failure)
      ledger.close({
        outcome: failure === null ? 'ok' : failure.kind === 'cancelled' ? 'aborted' : 'truncated',
        status: reply.status,
        error: failure?.message ?? null,
        tokens: tokens ?? noTokens,
        responseBytes: bytes,
      })
    },
  })
  if (failure === null) return await answer.response
  ledger.end(failure)
  const error = errorOf(failure, provider.id)
  ledger.close({ outcome: 'failed', status: error.status, error: error.message })
  return errorResponse(error, call.dialect)
}

/** A target and what proves us there. */
interface Leased {
  readonly target: Target
  readonly credential: Credential
}

/** The first target whose credential can be read. */
async function firstLeased(targets: readonly Target[], { headers }: Call, { leaser }: Rooms): Promise<Leased> {
  let failed: unknown
  for (const target of targets) {
    try {
      return { target, credential: await leaser.lease(target, { headers, protocol: null }) }
    } catch (error) {
      failed ??= error
    }
  }
  throw failed
}

/** The target of a raw call with the caller's own key. */
function ownTarget(provider: Provider, secret: Secret): Leased {
  const deployment = provider.deployments[0]
  if (!deployment) throw new GwError('request.unsupported', `${provider.id} has no deployment`)
  const account = 'provider-key' as AccountId
  const capability = deployment.capabilities[0] ?? 'chat'
  return {
    target: {
      key: formatTarget(provider.id, account),
      provider: provider.id,
      account,
      capability,
      deployment,
      model: '',
    },
    credential: { kind: 'api-key', secret, accountId: null, expiresAt: null, audience: [], identity: null },
  }
}

/** Paths behind a deployment's base URL that may be called raw. */
function allowedPaths(provider: Provider): readonly string[] {
  return provider.proxyPaths ?? provider.deployments.flatMap(({ paths, protocol }) => [
    ...Object.values(paths ?? {}),
    ...(protocolPaths[protocol] ?? []),
  ])
}

const protocolPaths: Readonly<Record<string, readonly string[]>> = {
  'openai-chat': ['/models', '/models/*', '/chat/completions', '/embeddings', '/completions', '/moderations'],
  'openai-responses': ['/models', '/models/*', '/responses', '/responses/*'],
  'anthropic-messages': [
    '/v1/models',
    '/v1/models/*',
    '/v1/messages',
    '/v1/messages/count_tokens',
    '/v1/messages/batches',
    '/v1/messages/batches/*',
  ],
  gemini: ['/models', '/models/*'],
}

/** Whether a path is the pattern, or lies under one that ends in `/*`. */
function matchesPath(pattern: string, path: string): boolean {
  return pattern.endsWith('/*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern
}

/** A path that every server reads the same way: no dots, no escapes of separators, no empty segments. */
function assertPlainPath(path: string): void {
  const odd = path === '' ? false : !/^(?:\/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+$/.test(path)
  const dots = path.split('/').some((segment) => /^\.+$/.test(segment))
  if (odd || dots) throw new GwError('request.invalid', 'a path that is passed on must be plain', { param: 'path' })
}
