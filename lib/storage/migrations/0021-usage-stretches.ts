import type { Migration } from './mod.ts'

/** Eight days, as the sums of stretches have. */
const stretchMs = 8 * 86_400_000

/** The columns of that time: what the code counts later is no matter of this step. */
const sums = [
  'requests',
  'errors',
  'input_tokens',
  'output_tokens',
  'cached_tokens',
  'cache_write_tokens',
  'reasoning_tokens',
  'cost_micros',
  'shadow_micros',
  'unpriced',
  'estimated',
  'duration_ms',
  'first_byte_ms',
  'first_bytes',
  'request_bytes',
  'response_bytes',
]

export const usageStretches0021: Migration = {
  name: '0021-usage-stretches',
  up: [
    `insert into usage_hours (dimension, hour_ms, key, ${sums.join(', ')})
      select 'token/stretch', hour_ms / ${stretchMs} * ${stretchMs}, key, ${sums.map((sum) => `sum(${sum})`).join(', ')}
      from usage_hours where dimension = 'token/day' group by 2, 3`,
  ],
}
