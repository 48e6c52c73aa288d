import type { DeadReason, DegradedReason, Liveness } from '../../../lib/liveness/mod.ts'
import type { RepairOwner } from '../../../lib/repair/definition/schema.ts'
import type { Evidence, EvidenceView } from '../../../lib/repair/evidence.ts'
import { createInventory, type Inventory } from '../../../lib/repair/inventory/inventory.ts'
import { inventorySchema } from '../../../lib/repair/inventory/schema.ts'

/** The time at which the toy world stands, epoch ms. */
export const clock0 = 1_760_000_000_000

/** What differs from the usual toy. */
export interface ToyOptions {
  owner?: RepairOwner
  backend?: 'file' | 'env'
  login?: boolean
  account?: string
  second?: string
  accounts?: number
  configDir?: string | null
  binary?: string
  session?: string
  monthlyLimit?: number
  commands?: { expensive?: readonly string[]; cheap?: readonly string[] }
}

/** A provider with an expensive and a cheap capability, and two accounts. */
export function toyInventory(options: ToyOptions = {}): Inventory {
  const { owner = 'upstream_cli_login', backend = 'file', login = true } = options
  const secret = backend === 'file' ? { backend, path: '~/toy.json' } : { backend, variable: 'TOY_TOKEN' }
  const account = (priority: number) => ({
    priority,
    secret,
    ...(options.monthlyLimit === undefined ? {} : { quota: { monthly_limit: options.monthlyLimit } }),
    ...(options.configDir ? { config_dir: options.configDir } : {}),
  })
  const accounts = options.accounts
    ? Object.fromEntries(Array.from({ length: options.accounts }, (_, i) => [`n${i}`, account(0)]))
    : { [options.account ?? 'a1']: account(20), [options.second ?? 'a2']: account(10) }
  const profiles = options.accounts || options.account ? {} : {
    main: { providers: ['toy:a2#cheap', 'toy:a1#expensive'] },
    failover: { providers: ['toy:a1', 'toy:a2'], strategy: 'failover' },
    weighted: { providers: ['toy:a1', 'toy:a2'], strategy: 'weighted' },
    round: { providers: ['toy:a1', 'toy:a2'], strategy: 'round' },
  }
  return createInventory(
    inventorySchema().parse({
      provider_definitions: {
        toy: {
          name: 'toy',
          injection: { config_dir_env: 'TOY_HOME', direct_env: [['TOY_TOKEN', 'access_token']] },
          detection: { binary_names: ['toy'] },
          ...(options.binary
            ? {
              runtime: {
                required_binaries: [options.binary],
                writable_paths: ['TOY_HOME'],
                session_paths: [options.session ?? 'TOY_HOME/auth.json'],
              },
            }
            : {}),
          repair: { owner, ...(login ? { login_command: ['toy', 'login'] } : {}) },
          capabilities: [
            {
              name: 'expensive',
              probe: {
                transport: 'command',
                command: [...(options.commands?.expensive ?? ['sh', '-c', 'exit 0'])],
                budget: 'spend_provider',
                auth: 'none',
                hint_body: true,
              },
            },
            {
              name: 'cheap',
              aliases: ['low'],
              probe: {
                transport: 'command',
                command: [...(options.commands?.cheap ?? ['sh', '-c', 'exit 0'])],
                auth: 'none',
                hint_body: true,
              },
            },
          ],
          failure_rules: [{ hint_contains: 'spent', class: { quota_exhausted: {} } }],
        },
        own: { name: 'own' },
      },
      providers: { toy: { kind: 'toy', accounts }, own: { kind: 'own', accounts: { x: { priority: -5 } } } },
      profiles,
      strategies: {
        failover: { kind: 'priority-failover' },
        weighted: { kind: 'health-weighted' },
        round: { kind: 'round-robin' },
      },
    }),
  )
}

/** A liveness with what else a case wants to say about it. */
export type Seen = Liveness & { readonly score?: number; readonly observedAt?: number }

/** It works. */
export const live = (more: { score?: number; observedAt?: number } = {}): Seen => ({
  state: 'live',
  since: clock0,
  availability: { is: 'available' },
  ...more,
})

/** Rate limited for this many more seconds. */
export const limited = (seconds: number): Seen => ({
  state: 'live',
  since: clock0,
  availability: {
    is: 'rate_limited',
    limitedAt: clock0,
    until: clock0 + seconds * 1000,
    window: 'per_minute',
    told: true,
  } as never,
})

/** Its quota is spent for this many more seconds; less than 0: its window has passed. */
export const exhausted = (seconds: number): Seen => ({
  state: 'live',
  since: clock0,
  availability: {
    is: 'quota_exhausted',
    exhaustedAt: clock0,
    resetsAt: clock0 + seconds * 1000,
    usedPct: null,
    told: true,
  } as never,
})

/** Degraded, until this many seconds from now where a number is given. */
export const degraded = (reason: DegradedReason, seconds?: number): Seen => ({
  state: 'degraded',
  since: clock0,
  reason,
  retryAt: seconds === undefined ? null : clock0 + seconds * 1000,
})

/** Dead. */
export const dead = (reason: DeadReason): Seen => ({ state: 'dead', since: clock0, reason })

/** Evidence that says this. */
export function evidenceOf(key: string, seen: Seen): Evidence {
  const passed = seen.state === 'live' && seen.availability.is === 'quota_exhausted' &&
    seen.availability.resetsAt !== null && seen.availability.resetsAt <= clock0
  return {
    key,
    liveness: seen,
    revalidationNeeded: passed,
    resetWindowState: seen.state === 'live' && seen.availability.is === 'quota_exhausted'
      ? passed ? 'expired' : 'active'
      : null,
    circuit: 'closed',
    circuitRetryAt: null,
    score: seen.score ?? 50,
    successes: 0,
    failures: 0,
    rateLimits: 0,
    lastHttpStatus: null,
    lastProbe: {
      source: 'capability_probe',
      observedAt: seen.observedAt ?? clock0,
      retryAfterMs: null,
      hintClass: 'none',
    },
  }
}

/** A view of a table of evidence. */
export function viewOf(table: Readonly<Record<string, Seen>>): EvidenceView {
  return (key) => Object.hasOwn(table, key) ? evidenceOf(key, table[key]!) : null
}
