import { partIsWithin, percentile, type Samples, type Standing } from '../liveness/mod.ts'
import type { Controls, PercentileLimit } from './controls.ts'

/**
 * Why a target misses the caller's preferred latency or throughput, or `null` when it meets them or nobody has measured
 * it: what is unknown is given the benefit of the doubt.
 *
 * A percentile is the part of the requests that must be at least this good: `p90` of a latency is what nine tenths stay
 * below, `p90` of a throughput what nine tenths reach.
 *
 * @see https://openrouter.ai/docs/features/provider-routing
 */
export function missedPreference(
  standing: Standing | null,
  { minThroughput, maxLatency }: Controls,
  now: number,
): (() => string) | null {
  if (standing === null) return null
  return missedThroughput(standing.speeds, minThroughput, now) ?? missedLatency(standing.latencies, maxLatency, now)
}

type Limits = readonly PercentileLimit[] | null

function missedThroughput(samples: Samples, limits: Limits, now: number): (() => string) | null {
  if (limits === null || samples.length === 0) return null
  for (const { name, part, limit } of limits) {
    if (partIsWithin(samples, part, limit, Infinity, now) !== false) continue
    return () => {
      const seen = percentile(samples, 1 - part, now)
      return `${name} of its throughput is ${round(seen)} tokens/s and ${limit} is preferred`
    }
  }
  return null
}

function missedLatency(samples: Samples, limits: Limits, now: number): (() => string) | null {
  if (limits === null || samples.length === 0) return null
  for (const { name, part, limit } of limits) {
    if (partIsWithin(samples, part, 0, limit * 1000, now) !== false) continue
    return () => {
      const seen = percentile(samples, part, now)
      return `${name} of its latency is ${round((seen ?? 0) / 1000)} s and ${limit} s is preferred`
    }
  }
  return null
}

const round = (value: number | null): number => Math.round((value ?? 0) * 100) / 100
