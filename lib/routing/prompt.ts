import { isObject } from '../base/mod.ts'
import { estimateTokens } from '../protocol/mod.ts'
import type { RouteBody } from './body.ts'
import type { Controls } from './controls.ts'
import type { Pool } from './pools.ts'

/** Fewest bytes that a token of a prompt takes: below it a prompt cannot be too long, and nobody counts. */
const leastBytesPerToken = 2.5

/** A body's prompt in tokens, estimated only when a candidate's context could be too short for it and that matters. */
export function promptTokens(body: RouteBody, pool: Pool, controls: Controls | null): number | null {
  const { leastContext, contextsDiffer } = pool
  if (leastContext === null || body.bytes.length < leastContext * leastBytesPerToken) return null
  if (!contextsDiffer && controls?.middleOut !== true) return null
  try {
    return estimateTokens(JSON.parse(new TextDecoder().decode(body.bytes))).inputTokens
  } catch {
    return null
  }
}

/** Tokens that the answer may take, as the caller says. */
export function wantedOutput(body: RouteBody): number | null {
  for (const name of ['max_completion_tokens', 'max_tokens', 'max_output_tokens']) {
    const value = body.field(name)
    if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value
  }
  const config = body.field('generationConfig')
  const most = isObject(config) ? config.maxOutputTokens : null
  return typeof most === 'number' && most > 0 && Number.isFinite(most) ? most : null
}
