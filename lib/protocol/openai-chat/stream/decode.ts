import type { SseEvent } from '../../../base/mod.ts'
import type { StreamDecoder } from '../../codec.ts'
import type { InferenceEvent } from '../../event.ts'
import { type UpstreamFailure, upstreamFailure } from '../../failure.ts'
import type { Frame } from '../../reframe.ts'
import { Repeat } from '../../repeat.ts'
import { isBlank, jsonOf, numberOf, objectOf, objectsOf, stringOf } from '../../read.ts'
import { decodeFailure } from '../failure.ts'
import { addUnreadReply, decodeUsage } from '../response.ts'
import { ChoiceReader, type Shared } from './decode-choice.ts'

/** Reads `chat.completion.chunk` events. */
export function streamDecoder(stem: string): StreamDecoder {
  return new ChatDecoder(stem)
}

/** How many answers to choose from are read: the most that anybody can ask for. */
const maxChoices = 128

/** Where the words of a chunk may stand. */
const wordFields = ['content', 'arguments', 'reasoning_content', 'reasoning']

class ChatDecoder implements StreamDecoder {
  readonly #stem: string
  readonly #shared: Shared
  /** By their index; the first is always there. */
  readonly #choices: (ChoiceReader | undefined)[]
  /** What the last chunk said but for its words, and which choice it was of. */
  readonly #repeat = new Repeat()
  #last: ChoiceReader | null = null
  #started = false
  #done = false

  constructor(stem: string) {
    this.#stem = stem
    this.#shared = { parts: 0, tier: null, unread: new Set() }
    this.#choices = [new ChoiceReader(0, stem, this.#shared)]
  }

  push(event: SseEvent, out: InferenceEvent[]): void {
    if (this.#done) return
    if (this.#repeat.fits(event.data)) return this.#last!.more(this.#repeat.text, out)
    this.#repeat.forget()
    if (event.data === '[DONE]') return this.#settle(out, true)
    const chunk = objectOf(jsonOf(event.data))
    if (chunk === undefined) {
      if (isBlank(event.data)) return
      return this.#fail(upstreamFailure('malformed', 'an event of the stream is not JSON'), out)
    }
    if (chunk.error != null || event.event === 'error') return this.#fail(decodeFailure(null, chunk), out)
    if (!Array.isArray(chunk.choices) && chunk.usage == null) {
      return this.#fail(upstreamFailure('malformed', 'an event of the stream is no chat completion chunk'), out)
    }
    // What stands beside the choices is the same in every chunk, but for the last ones.
    if (!this.#started || chunk.usage != null) {
      addUnreadReply(chunk, this.#shared.unread)
      this.#shared.tier = stringOf(chunk.service_tier) ?? this.#shared.tier
    }
    if (!this.#started) {
      this.#started = true
      out.push({ type: 'start', id: stringOf(chunk.id), model: stringOf(chunk.model) })
    }
    const choices = objectsOf(chunk.choices)
    const usage = objectOf(chunk.usage) ?? objectOf(choices[0]?.usage)
    if (usage !== undefined) out.push({ type: 'usage', tokens: decodeUsage(usage) })
    const before = out.length
    for (const value of choices) {
      this.#last = this.#choice(numberOf(value.index) ?? 0) ?? null
      const fault = this.#last?.read(value, out) ?? null
      if (fault !== null) return this.#fail(upstreamFailure('malformed', fault), out)
    }
    if (usage !== undefined || choices.length !== 1 || out.length !== before + 1) return
    const said = out[before]!
    if (this.#last?.mayGoOn(said)) this.#repeat.learn(event.data, said.text, wordFields)
  }

  get frame(): Frame | null {
    return this.#last?.keepsWords === false ? this.#repeat.frame : null
  }

  carried(): void {
    this.#repeat.used()
  }

  end(out: InferenceEvent[]): void {
    if (this.#done) return
    if (this.#choices.every((choice) => choice === undefined || choice.word !== null)) return this.#settle(out, false)
    const [kind, message] = this.#started
      ? ['truncated', 'the stream broke off before its finish_reason'] as const
      : ['empty', 'the stream ended before it began'] as const
    this.#fail(upstreamFailure(kind, message), out)
  }

  #choice(index: number): ChoiceReader | undefined {
    if (!Number.isInteger(index) || index < 0 || index >= maxChoices) return undefined
    return this.#choices[index] ??= new ChoiceReader(index, this.#stem, this.#shared)
  }

  #settle(out: InferenceEvent[], told: boolean): void {
    const [first, ...others] = this.#choices.filter((choice) => choice !== undefined)
    const choices = [...others, first!]
    // repair `missing-finish`: the upstream said that it is done, so it is
    if (told && this.#shared.parts === 0 && choices.every(({ word }) => word === null)) {
      return this.#fail(upstreamFailure('empty', 'the stream ended with nothing in it'), out)
    }
    // The end of the first is the end of all.
    for (const choice of choices) {
      const failure = choice.finish(out)
      if (failure !== null) return this.#fail(failure, out)
    }
    this.#done = true
  }

  #fail(failure: UpstreamFailure, out: InferenceEvent[]): void {
    this.#done = true
    out.push({ type: 'failure', failure })
  }
}
