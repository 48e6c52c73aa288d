import type { JsonObject } from '../../base/mod.ts'
import type { InferenceEvent } from '../event.ts'
import { type UpstreamFailure, upstreamFailure } from '../failure.ts'
import { numberOf, objectOf, objectsOf, stringOf } from '../read.ts'
import type { TokenCounts } from '../usage.ts'
import { addUnread } from '../unread.ts'
import { CandidateReader, type Shared } from './candidate.ts'

const pieceFields = new Set([
  ...['candidates', 'usageMetadata', 'promptFeedback', 'modelVersion', 'responseId', 'createTime', 'error'],
])
const feedbackFields = new Set(['blockReason'])
const usageFields = new Set([
  ...['promptTokenCount', 'candidatesTokenCount', 'totalTokenCount', 'cachedContentTokenCount', 'thoughtsTokenCount'],
  ...['toolUsePromptTokenCount'],
])

/** How many answers to choose from are read: more than anybody can ask for. */
const maxCandidates = 128

/**
 * Reads the pieces of one answer, whole or streamed: a stream's pieces are whole answers that hold a bit each.
 *
 * Some models name a finish in every piece, and the usage may come behind it: the answer ends with the stream.
 */
export class Reader {
  readonly #stem: string
  readonly #shared: Shared = { parts: 0, calls: 0, unread: new Set() }
  readonly #first: CandidateReader
  readonly #others = new Map<number, CandidateReader>()
  #started = false
  #id: string | null = null
  /** The last one said, which is of the whole. */
  #usage: JsonObject | undefined
  #done = false

  constructor(stem: string) {
    this.#stem = stem
    this.#first = new CandidateReader(0, stem, this.#shared)
  }

  get done(): boolean {
    return this.#done
  }

  read(piece: JsonObject, out: InferenceEvent[]): void {
    if (this.#done) return
    const id = stringOf(piece.responseId)
    if (!this.#started) {
      this.#started = true
      this.#id = id
      out.push({ type: 'start', id, model: stringOf(piece.modelVersion) })
    }
    const same = id === null || this.#id === null || id === this.#id
    const { unread } = this.#shared
    addUnread(piece, pieceFields, '', unread)
    addUnread(objectOf(piece.promptFeedback), feedbackFields, 'promptFeedback', unread)
    const usage = objectOf(piece.usageMetadata)
    this.#usage = usage ?? this.#usage
    if (usage !== undefined) out.push({ type: 'usage', tokens: decodeUsage(usage) })
    const blocked = stringOf(objectOf(piece.promptFeedback)?.blockReason)
    if (blocked !== null) this.#first.block(blocked)
    for (const candidate of objectsOf(piece.candidates)) {
      if (this.#candidate(numberOf(candidate.index) ?? 0)?.read(candidate, out, same) === false) {
        return this.#fail(upstreamFailure('malformed', 'the stream went on after its finishReason'), out)
      }
    }
  }

  /** The upstream closed; `whole` when nothing more could have come. */
  finish(out: InferenceEvent[], whole: boolean): void {
    if (this.#done) return
    if (!this.#started) return this.#fail(upstreamFailure('empty', 'the stream ended before it began'), out)
    addUnread(this.#usage, usageFields, 'usageMetadata', this.#shared.unread)
    // The end of the first is the end of all.
    const candidates = [...this.#others.values(), this.#first]
    if (!whole && candidates.some(({ ended }) => !ended)) {
      return this.#fail(upstreamFailure('truncated', 'the stream broke off before its finishReason'), out)
    }
    for (const candidate of candidates) {
      const failure = candidate.finish(out)
      if (failure !== null) return this.#fail(failure, out)
    }
    this.#done = true
  }

  #candidate(index: number): CandidateReader | undefined {
    if (index === 0) return this.#first
    let candidate = this.#others.get(index)
    if (candidate === undefined && Number.isInteger(index) && index > 0 && index < maxCandidates) {
      this.#others.set(index, candidate = new CandidateReader(index, this.#stem, this.#shared))
    }
    return candidate
  }

  #fail(failure: UpstreamFailure, out: InferenceEvent[]): void {
    this.#done = true
    out.push({ type: 'failure', failure })
  }
}

/**
 * Usage in neutral counts. Here thoughts stand beside the answer and what tools of the provider read beside the prompt;
 * neutral counts include both. Cached tokens are part of the prompt here as there.
 */
function decodeUsage(usage: JsonObject | undefined): Partial<TokenCounts> {
  if (usage === undefined) return {}
  const prompt = numberOf(usage.promptTokenCount)
  const tools = numberOf(usage.toolUsePromptTokenCount)
  const said = numberOf(usage.candidatesTokenCount)
  const thought = numberOf(usage.thoughtsTokenCount)
  return {
    inputTokens: prompt === null && tools === null ? null : (prompt ?? 0) + (tools ?? 0),
    outputTokens: said === null && thought === null ? null : (said ?? 0) + (thought ?? 0),
    cachedInputTokens: numberOf(usage.cachedContentTokenCount),
    reasoningTokens: thought,
  }
}
