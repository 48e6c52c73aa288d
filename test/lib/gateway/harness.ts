import { createTicker, GwError, Secret, silentLogger, systemClock } from '../../../lib/base/mod.ts'
import type { AccountId, PrincipalId } from '../../../lib/base/mod.ts'
import { operator, presentedToken, type Principal } from '../../../lib/access/mod.ts'
import { formatTarget, type Target } from '../../../lib/accounts/mod.ts'
import type { Provider } from '../../../lib/catalog/mod.ts'
import { type Credential, originsOf } from '../../../lib/credentials/mod.ts'
import { egressConfig } from '../../../lib/egress/config.ts'
import { createEgress, egressPolicy } from '../../../lib/egress/mod.ts'
import { createDoor, defaultLimits, type Limits, type Rooms } from '../../../lib/gateway/mod.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import type { Controls } from '../../../lib/routing/controls.ts'
import { nextAttempt } from '../../../lib/routing/next.ts'
import type { ProtocolId } from '../../../lib/protocol/mod.ts'
import { createUpstream } from '../../../lib/upstream/mod.ts'
import type { RequestRecord } from '../../../lib/usage/mod.ts'

/** The token the test clients send. */
export const token = 'la_sk_test'
/** The key the line sends upstream. */
export const upstreamKey = 'sk-upstream-secret-0123456789'

/** What a test may choose. */
export interface LineOptions {
  /** Base URLs of the targets, in order. */
  readonly urls: readonly string[]
  readonly protocol?: ProtocolId
  /** Of each target, where they differ. */
  readonly protocols?: readonly ProtocolId[]
  readonly limits?: Partial<Limits>
  readonly principal?: Partial<Principal>
  readonly provider?: Partial<Provider>
  readonly model?: string
  readonly controls?: Controls
  readonly credential?: Partial<Credential>
  readonly rooms?: Partial<Rooms>
}

/** A line of real parts between fake neighbours. */
export async function openLine(options: LineOptions) {
  const records: Omit<RequestRecord, 'costMicros' | 'shadowCostMicros' | 'priceSource'>[] = []
  const observed: string[] = []
  const dialer = (await detectPlatform()).openDialer()
  const clock = systemClock
  const ticker = createTicker(clock, 20)
  const provider = (url: string): Provider => ({
    id: 'fake',
    name: 'Fake',
    aliases: [],
    env: [],
    auth: options.protocol === 'anthropic-messages'
      ? { type: 'anthropic' }
      : options.protocol === 'gemini'
      ? { type: 'header', name: 'x-goog-api-key' }
      : { type: 'bearer' },
    deployments: [{
      protocol: options.protocol ?? 'openai-chat',
      capabilities: ['chat', 'embeddings', 'transcription'],
      baseUrl: url,
    }],
    local: true,
    docs: 'https://example.com',
    ...options.provider,
  })
  const targets = options.urls.map((url, i): Target => ({
    key: formatTarget('fake', `a${i}`, 'chat'),
    provider: 'fake',
    account: `a${i}` as AccountId,
    capability: 'chat',
    deployment: { ...provider(url).deployments[0]!, ...(options.protocols ? { protocol: options.protocols[i]! } : {}) },
    model: options.model ?? 'm-1',
  }))
  const row = provider(options.urls[0]!)
  const egress = createEgress({
    policy: egressPolicy(egressConfig.parse({})),
    dialer,
    clock,
    log: silentLogger,
  })
  const principal: Principal = { ...operator, id: 'tok_1' as PrincipalId, kind: 'client', ...options.principal }
  const rooms: Rooms = {
    access: {
      authenticate(headers) {
        if (presentedToken(headers)?.token === token) return principal
        throw new GwError('access.missing', 'Missing Authorization header with Bearer token')
      },
    },
    admitter: { admit: () => null },
    router: {
      plan: () => ({
        targets: targets.map((target) => ({ target, because: 'it is there', trial: false })),
        dropped: [],
        strategy: 'declared',
        session: null,
        earliestAt: null,
        pinned: false,
        resolved: { requested: null, provider: row, account: null, model: 'm-1', alias: null } as never,
        controls: options.controls ?? null,
        plannedAt: 0,
      }),
      claim: (_, index) => {
        observed.push(`began a${index}`)
        return { end: ({ is }) => void observed.push(`ended a${index} ${is}`) }
      },
      next: (plan, tried, failures) => nextAttempt(plan, { tried, failures, maxAttempts: 6, now: clock.now() }),
      countRequest: () => {},
    },
    leaser: {
      lease: (target) => ({
        kind: 'api-key',
        secret: new Secret(upstreamKey),
        accountId: null,
        expiresAt: null,
        audience: originsOf([target.deployment.baseUrl]),
        identity: null,
        ...options.credential,
      }),
    },
    upstream: createUpstream({ egress, provider: () => row, environment: {}, clock }),
    observer: {
      served: (target) => void observed.push(`served ${target.account}`),
      failed: (target, failure) => void observed.push(`failed ${target.account} ${failure.kind}`),
    },
    recorder: { record: (record) => void records.push(record) },
    directory: {
      models: () => [{ id: 'fake/m-1', provider: 'fake', name: 'm-1', contextTokens: 8192, maxOutputTokens: null }],
      providers: () => [row],
      provider: (id) => id === 'fake' ? row : null,
      passthrough: () => [row],
      targets: () => targets,
    },
    serves: () => true,
    turns: null,
    limits: { ...defaultLimits, ...options.limits },
    clock,
    ticker,
    log: silentLogger,
    ...options.rooms,
  }
  const door = createDoor(rooms)
  const fetch = (path: string, init: RequestInit = {}) =>
    door.fetch(
      new Request(`http://gw.test${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}`, ...init.headers as Record<string, string> },
      }),
      { address: '127.0.0.1', loopback: true },
    ) ?? Promise.reject(new Error(`no surface at ${path}`))
  const post = (path: string, body: unknown, init: RequestInit = {}) =>
    fetch(path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
      headers: { 'content-type': 'application/json', ...init.headers as Record<string, string> },
    })
  return {
    door,
    rooms,
    records,
    observed,
    fetch,
    post,
    close() {
      ticker.close()
      dialer.close()
    },
  }
}
