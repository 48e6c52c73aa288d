import type { EvidenceSource, Liveness } from '../liveness/mod.ts'
import type { HintClass } from './classify.ts'

/** What was seen last, in the words that may be kept. */
export interface LastProbe {
  readonly source: EvidenceSource
  readonly observedAt: number
  readonly retryAfterMs: number | null
  readonly hintClass: HintClass
}

/**
 * What is recorded under one key, as planning reads it: recovered by the clock where the clock can, nothing written.
 */
export interface Evidence {
  readonly key: string
  readonly liveness: Liveness
  /** A window that has passed, or whose end nobody knows: one probe must confirm it. */
  readonly revalidationNeeded: boolean
  readonly resetWindowState: 'active' | 'expired' | 'unknown' | null
  readonly circuit: 'closed' | 'open' | 'half_open'
  /** When an open circuit may be tried again, epoch ms. */
  readonly circuitRetryAt: number | null
  readonly score: number
  readonly successes: number
  readonly failures: number
  readonly rateLimits: number
  readonly lastHttpStatus: number | null
  readonly lastProbe: LastProbe | null
}

/** What is recorded under a key, `null` when it has never been seen. Reading is free: no file, no database, no network. */
export type EvidenceView = (key: string) => Evidence | null
