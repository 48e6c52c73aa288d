import { partIsGood, percentile, type Samples, type Standing } from '../liveness/mod.ts'
import type { Controls, Percentiles } from './controls.ts'

const parts = [['p50', 0.5], ['p75', 0.75], ['p90', 0.9], ['p99', 0.99]] as const

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
  return missed(minThroughput, standing.speeds, (limit) => (speed) => speed >= limit, now, (name, part, limit) => {
    const seen = percentile(standing.speeds, 1 - part, now)
    return `${name} of its throughput is ${round(seen)} tokens/s and ${limit} is preferred`
  }) ?? missed(maxLatency, standing.latencies, (limit) => (ms) => ms <= limit * 1000, now, (name, part, limit) => {
    const seen = percentile(standing.latencies, part, now)
    return `${name} of its latency is ${round((seen ?? 0) / 1000)} s and ${limit} s is preferred`
  })
}

function missed(
  wanted: Percentiles | null,
  samples: Samples,
  meets: (limit: number) => (value: number) => boolean,
  now: number,
  say: (name: string, part: number, limit: number) => string,
): (() => string) | null {
  if (wanted === null || samples.length === 0) return null
  for (const [name, part] of parts) {
    const limit = wanted[name]
    if (limit !== undefined && partIsGood(samples, part, meets(limit), now) === false) {
      return () => say(name, part, limit)
    }
  }
  return null
}

const round = (value: number | null): number => Math.round((value ?? 0) * 100) / 100
