import type { JsonObject } from '../base/mod.ts'
import { joinPath, type Ledger } from './ledger.ts'
import { objectOf, stringOf } from './read.ts'
import type { CacheMark } from './request.ts'

/** Something that may carry a cache mark. */
interface Markable {
  readonly cache?: CacheMark | null | undefined
}

/** The mark that stands under the first of these names at a thing with this path. */
export function readMark(value: JsonObject, path: string, ...names: readonly string[]): CacheMark | undefined {
  for (const name of names) {
    const raw = objectOf(value[name])
    if (raw !== undefined) return { path: joinPath(path, name), ttl: stringOf(raw.ttl), raw }
  }
  return undefined
}

/** A mark in the words that OpenAI's two protocols share, as the caller of one of them wrote it. */
export function breakpointOf({ cache }: Markable, { source, target }: Ledger): JsonObject | undefined {
  const shared = source.startsWith('openai') && target.startsWith('openai')
  return shared && cache?.raw.mode !== undefined ? cache.raw : undefined
}

/** Takes down a mark that the target has no form for. */
export function loseMark({ cache }: Markable, ledger: Ledger): void {
  if (cache) ledger.lose(cache.path, `${ledger.target} caches without marks`)
}
