import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AccountId,
  type Logger,
  newId,
  type PrincipalId,
  type RequestId,
  silentLogger,
} from '../../../lib/base/mod.ts'
import { type ManualClock, manualClock } from '../../support/manual-clock.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import { openStorage, type Storage } from '../../../lib/storage/mod.ts'
import { usageConfig } from '../../../lib/usage/config.ts'
import { createUsage, type RequestRecord, type Usage } from '../../../lib/usage/mod.ts'

/** 2026-03-01T00:00:00Z. */
export const start = Date.UTC(2026, 2, 1)

/** A usage room of its own, with its database. */
export interface UsageHome {
  readonly clock: ManualClock
  readonly folder: string
  readonly storage: Storage
  readonly usage: Usage
}

/** Runs `work` with a usage room of its own. */
export async function inUsage<T>(
  config: unknown,
  work: (home: UsageHome) => Promise<T>,
  logger: Logger = silentLogger,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'gw-usage-'))
  const clock = manualClock(start)
  const storage = await openStorage({ platform: await detectPlatform(), clock, path: join(folder, 'gw.sqlite') })
  const usage = createUsage({ storage, clock, config: usageConfig.parse(config), logger })
  try {
    return await work({ clock, folder, storage, usage })
  } finally {
    await usage.close()
    await storage.close()
    await rm(folder, { recursive: true })
  }
}

/** A finished chat request, but for what a test says otherwise. */
export function aRecord(changes: Partial<RequestRecord> = {}): RequestRecord {
  const at = changes.at ?? start
  return {
    id: newId<RequestId>('req', at),
    at,
    principal: 'token-1' as PrincipalId,
    surface: 'chat',
    clientProtocol: 'openai-chat',
    requestedModel: 'small',
    model: 'small-1',
    provider: 'acme',
    account: 'acme-work' as AccountId,
    attempts: [{
      target: 'acme:acme-work#chat',
      account: 'acme-work' as AccountId,
      provider: 'acme',
      model: 'small-1',
      startedAt: at,
      headMs: 40,
      durationMs: 120,
      status: 200,
      failure: null,
      message: null,
    }],
    stream: true,
    tokens: {
      inputTokens: 1_000,
      outputTokens: 100,
      cachedInputTokens: 400,
      cacheWriteTokens: null,
      cacheWrite1hTokens: null,
      reasoningTokens: 20,
    },
    estimated: false,
    costMicros: 1_234,
    shadowCostMicros: null,
    priceSource: 'test 2026-03-01',
    status: 200,
    outcome: 'ok',
    error: null,
    firstByteMs: 50,
    durationMs: 130,
    requestBytes: 800,
    responseBytes: 2_000,
    losses: [],
    session: null,
    client: 'openai-node',
    ...changes,
  }
}
