import type { Json, JsonObject } from '../../../base/mod.ts'
import type { StreamDecoder } from '../../codec.ts'
import type { InferenceEvent, PartHead } from '../../event.ts'
import { type UpstreamFailure, upstreamFailure } from '../../failure.ts'
import type { FinishReason } from '../../finish.ts'
import { jsonOf, numberOf, objectOf, objectsOf, stringOf } from '../../read.ts'
import { readLogprobs } from '../../logprobs.ts'
import type { ReasoningProof } from '../../request.ts'
import { decodeFailure } from '../failure.ts'
import { decodeReasoningDetail } from '../reasoning.ts'
import { decodeFinish, decodeUsage } from '../response.ts'

interface OpenCall {
  readonly index: number
  /** `-1` until the name is known and the part is open. */
  part: number
  id: string
  name: string
  custom: boolean
  /** Arguments that came before the name. */
  held: string
}

/** Reads `chat.completion.chunk` events. Only the first choice: gw asks for one. */
export function streamDecoder(stem: string): StreamDecoder {
  const calls: OpenCall[] = []
  let started = false
  let done = false
  let parts = 0
  let open: { part: number; type: 'text' | 'refusal' | 'reasoning' } | null = null
  let proof: ReasoningProof | null = null
  let thoughts = ''
  let annotations: JsonObject[] = []
  let word: string | null = null

  function fail(failure: UpstreamFailure, out: InferenceEvent[]): void {
    done = true
    out.push({ type: 'failure', failure })
  }
  function closeOpen(out: InferenceEvent[]): void {
    if (open === null) return
    const close = open.type === 'reasoning' ? { proof } : open.type === 'text' ? { annotations } : {}
    out.push({ type: 'close', part: open.part, ...close })
    open = null
    proof = null
    thoughts = ''
    annotations = []
  }
  function enter(type: 'text' | 'refusal' | 'reasoning', out: InferenceEvent[], id: string | null = null): number {
    if (open?.type === type) return open.part
    closeOpen(out)
    const head: PartHead = type === 'reasoning' ? { type, id } : { type }
    open = { part: parts++, type }
    out.push({ type: 'open', part: open.part, head })
    return open.part
  }
  function finish(reason: FinishReason, out: InferenceEvent[]): void {
    closeOpen(out)
    for (const call of calls) {
      if (call.part < 0) return fail(upstreamFailure('malformed', 'a tool call without a name'), out)
      out.push({ type: 'close', part: call.part })
    }
    done = true
    out.push({ type: 'finish', reason, stopSequence: null })
  }
  function reasoningDetail(detail: JsonObject, out: InferenceEvent[]): void {
    const decoded = decodeReasoningDetail(detail, '')
    if (detail.type === 'reasoning.encrypted') {
      // Packed by another gateway of this kind, whose deltas have said the text already.
      const shown = decoded.content.length > 0 ? decoded.content : decoded.summary
      if (open?.type === 'reasoning' && detail.format === 'gw-v1' && shown.join('\n\n') === thoughts) {
        proof = decoded.proof
        return closeOpen(out)
      }
      closeOpen(out)
      const part = enter('reasoning', out, decoded.id)
      decoded.summary.forEach((text, section) => out.push({ type: 'delta', part, text, summary: true, section }))
      decoded.content.forEach((text, section) => out.push({ type: 'delta', part, text, section }))
      proof = decoded.proof
      closeOpen(out)
      return
    }
    if (open?.type === 'reasoning' && proof !== null && decoded.proof === null) closeOpen(out)
    const part = enter('reasoning', out, decoded.id)
    // A signed detail may say the whole text once more.
    const again = decoded.proof !== null && decoded.content[0] === thoughts
    if (!again) { for (const text of decoded.content) think(part, text, out) }
    for (const text of decoded.summary) if (text !== '') out.push({ type: 'delta', part, text, summary: true })
    proof = decoded.proof ?? proof
  }
  function think(part: number, text: string, out: InferenceEvent[]): void {
    if (text === '') return
    thoughts += text
    out.push({ type: 'delta', part, text })
  }
  function toolCall(delta: JsonObject, out: InferenceEvent[]): void {
    const custom = objectOf(delta.custom)
    const fn = custom ?? objectOf(delta.function) ?? {}
    const id = stringOf(delta.id)
    const name = stringOf(fn.name)
    const index = numberOf(delta.index)
    let call = index === null ? missingIndex(id) : calls.findLast((item) => item.index === index)
    // repair `duplicate-index`: another id and a name under a used index is another call
    if (call !== undefined && id !== null && id !== '' && call.id !== '' && call.id !== id && name) call = undefined
    if (call === undefined) {
      call = { index: index ?? calls.length, part: -1, id: '', name: '', custom: custom !== undefined, held: '' }
      calls.push(call)
    }
    if (call.id === '' && id) call.id = id
    // repair `repeated-name`: the first one counts
    if (call.name === '' && name) call.name = name
    const raw = custom ? fn.input : fn.arguments
    const text = typeof raw === 'string' ? raw : raw == null ? '' : JSON.stringify(raw)
    if (call.part < 0) {
      if (call.name === '') {
        call.held += text
        return
      }
      closeOpen(out)
      call.part = parts++
      // repair `missing-tool-id`
      if (call.id === '') call.id = `call_${stem}${calls.indexOf(call)}`
      out.push({
        type: 'open',
        part: call.part,
        head: {
          type: 'tool-call',
          id: call.id,
          name: call.name,
          namespace: null,
          kind: call.custom ? 'custom' : 'function',
        },
      })
    }
    const whole = call.held + text
    call.held = ''
    if (whole !== '') out.push({ type: 'delta', part: call.part, text: whole })
  }
  /** repair `missing-index`: by id, else the call that is being written. */
  function missingIndex(id: string | null): OpenCall | undefined {
    return id === null || id === '' ? calls.at(-1) : calls.find((item) => item.id === id)
  }
  function say(text: string, logprobs: JsonObject | undefined, out: InferenceEvent[]): void {
    const part = enter('text', out)
    const chances = logprobs === undefined ? undefined : readLogprobs(logprobs.content)
    out.push(chances === undefined ? { type: 'delta', part, text } : { type: 'delta', part, text, logprobs: chances })
  }
  function delta(value: JsonObject, logprobs: JsonObject | undefined, out: InferenceEvent[]): void {
    const details = value.reasoning_details
    if (Array.isArray(details) && details.length > 0) {
      for (const detail of objectsOf(details)) reasoningDetail(detail, out)
    } else {
      const thought = stringOf(value.reasoning_content) ?? stringOf(value.reasoning)
      if (thought) think(enter('reasoning', out), thought, out)
    }
    const content = value.content
    if (typeof content === 'string') {
      if (content !== '') say(content, logprobs, out)
    } else if (Array.isArray(content)) {
      for (const item of objectsOf(content)) {
        const text = stringOf(item.text)
        if (text) out.push({ type: 'delta', part: enter('text', out), text })
      }
    }
    if (Array.isArray(value.annotations)) annotations.push(...objectsOf(value.annotations))
    const refusal = stringOf(value.refusal)
    if (refusal) out.push({ type: 'delta', part: enter('refusal', out), text: refusal })
    if (Array.isArray(value.tool_calls)) { for (const call of objectsOf(value.tool_calls)) toolCall(call, out) }
    const legacy = objectOf(value.function_call)
    if (legacy !== undefined) toolCall({ index: 0, function: legacy }, out)
  }
  function settle(out: InferenceEvent[]): void {
    const refused = open?.type === 'refusal'
    const reason = decodeFinish(word, calls.length > 0)
    if (reason === null) fail(upstreamFailure('malformed', `unknown finish_reason ${JSON.stringify(word)}`), out)
    else finish(refused && reason === 'stop' ? 'refusal' : reason, out)
  }

  return {
    push(event, out) {
      if (done) return
      if (event.data === '[DONE]') {
        // repair `missing-finish`: the upstream said that it is done, so it is
        if (parts > 0 || word !== null) settle(out)
        else fail(upstreamFailure('empty', 'the stream ended with nothing in it'), out)
        return
      }
      const chunk = objectOf(jsonOf(event.data))
      if (chunk === undefined) return fail(upstreamFailure('malformed', 'an event of the stream is not JSON'), out)
      if (chunk.error != null || event.event === 'error') return fail(decodeFailure(null, chunk), out)
      const choice = firstChoice(chunk.choices)
      if (choice === undefined && chunk.usage == null && !Array.isArray(chunk.choices)) {
        return fail(upstreamFailure('malformed', 'an event of the stream is no chat completion chunk'), out)
      }
      if (!started) {
        started = true
        out.push({ type: 'start', id: stringOf(chunk.id), model: stringOf(chunk.model) })
      }
      const usage = objectOf(chunk.usage) ?? objectOf(choice?.usage)
      if (usage !== undefined) out.push({ type: 'usage', tokens: decodeUsage(usage) })
      if (choice === undefined) return
      const change = objectOf(choice.delta) ?? objectOf(choice.message)
      const before = out.length
      if (change !== undefined) delta(change, objectOf(choice.logprobs), out)
      if (word !== null && out.length > before) {
        return fail(upstreamFailure('malformed', 'the stream went on after its finish_reason'), out)
      }
      word ??= stringOf(choice.finish_reason)
    },
    end(out) {
      if (done) return
      if (word !== null) settle(out)
      else if (!started) fail(upstreamFailure('empty', 'the stream ended before it began'), out)
      else fail(upstreamFailure('truncated', 'the stream broke off before its finish_reason'), out)
    },
  }
}

/** The choice that gw asked for. */
function firstChoice(choices: Json | undefined): JsonObject | undefined {
  if (!Array.isArray(choices)) return undefined
  for (const item of choices) {
    const choice = objectOf(item)
    if (choice !== undefined && (choice.index ?? 0) === 0) return choice
  }
  return undefined
}
