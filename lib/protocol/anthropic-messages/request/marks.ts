import type { JsonObject } from '../../../base/mod.ts'
import type { EncodeOptions } from '../../codec.ts'
import type { CacheMark } from '../../request.ts'

/** A block that carries a cache mark, so that marks beyond what the API takes can be lifted again. */
interface Marked {
  readonly block: Record<string, unknown>
  readonly path: string
}

/** What writes a request: the options, and the cache marks that were set on the way. */
export interface Pen extends EncodeOptions {
  readonly marks: Marked[]
}

/** The most cache marks that the API takes in one request. */
const maxMarks = 4

/** A cache mark in this protocol's words. */
export function encodeMark(cache: CacheMark, { ledger }: Pen): JsonObject {
  if (ledger.same) return cache.raw
  if (cache.ttl === null || cache.ttl === '5m' || cache.ttl === '1h') {
    return cache.ttl === null ? { type: 'ephemeral' } : { type: 'ephemeral', ttl: cache.ttl }
  }
  ledger.lose(`${cache.path}.ttl`, 'anthropic-messages keeps a cache for 5 minutes or an hour: became an hour')
  return { type: 'ephemeral', ttl: '1h' }
}

/** The block, with the cache mark of its part. */
export function marked(
  block: Record<string, unknown>,
  part: { readonly cache?: CacheMark | undefined },
  pen: Pen,
): JsonObject {
  if (part.cache !== undefined) {
    block.cache_control = encodeMark(part.cache, pen)
    pen.marks.push({ block, path: part.cache.path })
  }
  return block as JsonObject
}

/** Lifts marks beyond the limit: the first one, which covers what never changes, and the last ones stay. */
export function limitMarks({ marks, ledger }: Pen): void {
  if (marks.length <= maxMarks || ledger.same) return
  for (const { block, path } of marks.slice(1, marks.length - (maxMarks - 1))) {
    delete block.cache_control
    ledger.lose(path, `anthropic-messages takes ${maxMarks} cache marks`)
  }
}

/** Marks the end of what never changes and the end of the conversation, for callers whose protocol has no marks. */
export function markTail(tools: JsonObject[], system: string | JsonObject[] | undefined, messages: JsonObject[]): void {
  const mark = { type: 'ephemeral' }
  const fixed = Array.isArray(system) && system.length > 0 ? system.at(-1) : tools.at(-1)
  if (fixed !== undefined) (fixed as Record<string, unknown>).cache_control = mark
  const content = messages.at(-1)?.content
  const last = Array.isArray(content) ? content.findLast((block) => !/thinking/.test(block.type as string)) : undefined
  if (last !== undefined) (last as Record<string, unknown>).cache_control = mark
}
