import { drainSoonestReset } from './drain-soonest-reset.ts'
import { highestThroughput } from './highest-throughput.ts'
import { leastUsed } from './least-used.ts'
import { lowestLatency } from './lowest-latency.ts'
import { lowestPrice } from './lowest-price.ts'
import { openrouter } from './openrouter.ts'
import { priority } from './priority.ts'
import { roundRobin } from './round-robin.ts'
import type { Strategy } from './strategy.ts'
import { weighted } from './weighted.ts'

/** Every strategy by its name in the config. One file and one line each. */
export const strategies = {
  'drain-soonest-reset': drainSoonestReset,
  'highest-throughput': highestThroughput,
  'least-used': leastUsed,
  'lowest-latency': lowestLatency,
  'lowest-price': lowestPrice,
  'openrouter': openrouter,
  'priority': priority,
  'round-robin': roundRobin,
  'weighted': weighted,
} as const satisfies Record<string, Strategy>

/** The name of a strategy. */
export type StrategyName = keyof typeof strategies

/** Names of the strategies, for schemas. */
export const strategyNames = Object.keys(strategies) as [StrategyName, ...StrategyName[]]

export type { Strategy, StrategyView } from './strategy.ts'
