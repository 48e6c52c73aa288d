import { type Account, plainAccount, type Target } from '../../../lib/accounts/mod.ts'
import { silentLogger } from '../../../lib/base/mod.ts'
import { type ManualClock, manualClock } from '../../support/manual-clock.ts'
import { catalogConfig, type ProviderOverlay } from '../../../lib/catalog/config.ts'
import { type Catalog, createCatalog } from '../../../lib/catalog/mod.ts'
import { type Board, createBoard } from '../../../lib/liveness/mod.ts'
import type { QuotaWindow, UpstreamFailure } from '../../../lib/protocol/mod.ts'
import { routingConfig, type RoutingSettings } from '../../../lib/routing/config.ts'
import { createRouter, type Router } from '../../../lib/routing/mod.ts'
import type { RouteCall } from '../../../lib/routing/call.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openStorage, type Storage } from '../../../lib/storage/mod.ts'

export const noon = Date.UTC(2026, 10, 1, 12)

/** An account with an API key, and whatever else a test says. */
export const account = (id: string, provider: string, more: Partial<Account> = {}): Account =>
  plainAccount(id, provider, { source: { type: 'env', variable: 'KEY' }, ...more })

export function failure(kind: UpstreamFailure['kind'], more: Partial<UpstreamFailure> = {}): UpstreamFailure {
  return {
    kind,
    scope: 'model',
    status: 429,
    message: kind,
    code: null,
    mayTryOther: true,
    retryAfterMs: null,
    windows: [],
    ...more,
  }
}

export function quotaWindow(more: Partial<QuotaWindow> = {}): QuotaWindow {
  return {
    id: '7d',
    lengthMs: 7 * 86_400_000,
    used: 0,
    limit: null,
    remaining: null,
    resetsAt: null,
    status: 'allowed',
    model: null,
    ...more,
  }
}

/** A call for chat by an unlimited principal. */
export function call(model: string | null, more: Partial<RouteCall> = {}): RouteCall {
  return {
    capability: 'chat',
    protocol: 'openai-chat',
    model,
    headers: new Headers(),
    body: null,
    principal: { id: 'p', models: null, providers: null, aliases: {}, account: null },
    ...more,
  }
}

/** A generator of numbers that is the same in each run. */
export function counter(seed = 1): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}

export interface Bench {
  readonly router: Router
  readonly board: Board
  readonly clock: ManualClock
  readonly storage: Storage
  readonly catalog: Catalog
}

/** A router over these accounts, in memory. */
export async function bench(
  accounts: readonly Account[],
  options: {
    readonly overlays?: Readonly<Record<string, ProviderOverlay>>
    readonly settings?: Record<string, unknown>
    readonly catalog?: Record<string, unknown>
    readonly identityOf?: (id: string) => string | null
    readonly spentToday?: (id: string) => number | null
    readonly storage?: Storage
    readonly clock?: ManualClock
  } = {},
): Promise<Bench> {
  const clock = options.clock ?? manualClock(noon)
  const storage = options.storage ?? await openStorage({ platform: await detectPlatform(), clock, path: ':memory:' })
  const settings: RoutingSettings = routingConfig.parse(options.settings ?? {})
  const catalog = createCatalog({
    settings: catalogConfig.parse(options.catalog ?? {}),
    ...(options.overlays ? { overlays: options.overlays } : {}),
  })
  const random = counter()
  const board = await createBoard({ storage, clock, random, logger: silentLogger })
  const router = await createRouter({
    storage,
    clock,
    random,
    logger: silentLogger,
    board,
    catalog: () => catalog,
    accounts: () => accounts,
    settings: () => settings,
    ...(options.identityOf ? { identityOf: options.identityOf } : {}),
    ...(options.spentToday ? { spentToday: options.spentToday } : {}),
  })
  return { router, board, clock, storage, catalog }
}

export const ids = (plan: { readonly targets: readonly { readonly target: Target }[] }): string[] =>
  plan.targets.map(({ target }) => target.account)
