import type { Json, JsonObject } from '../../base/mod.ts'
import { objectOf, objectsOf } from '../read.ts'
import { eventBytes, eventText, noBytes, type OwnStream, type OwnStreamOptions, rewriter } from './own-stream.ts'

const done = new TextEncoder().encode('data: [DONE]\n\n')

/** Chat completion chunks: each of them carries the id and the time of creation. */
export function ownChat({ stem, createdAt, model }: OwnStreamOptions): OwnStream {
  const named = { id: `chatcmpl-${stem}`, object: 'chat.completion.chunk', created: createdAt }
  const chunk = (delta: JsonObject): Uint8Array<ArrayBuffer> =>
    eventBytes({ ...named, model, choices: [{ index: 0, delta, logprobs: null, finish_reason: null }] }, false)
  const alive = chunk({})

  function rewrite(data: JsonObject): string {
    if (data.error !== undefined && data.error !== null) return eventText(data, false)
    const choices = objectsOf(data.choices)
    const rest = choices.map(withoutRole)
    // What only said that the answer begins has been said.
    if (rest.length > 0 && rest.every(saysNothing) && (data.usage ?? null) === null) return ''
    return eventText({ ...data, ...named, ...(choices.length > 0 ? { choices: rest } : {}) }, false)
  }

  return {
    id: named.id,
    closing: null,
    start: () => chunk({ role: 'assistant', content: '', refusal: null }),
    keepAlive: () => alive,
    failureEvent({ type, code, message }) {
      const error = eventBytes({ error: { message, type: type ?? 'api_error', param: null, code } }, false)
      const out = new Uint8Array(error.length + done.length)
      out.set(error)
      out.set(done, error.length)
      return out
    },
    continuation() {
      let ended = false
      return {
        take: rewriter(rewrite, (data) => void (ended ||= data === '[DONE]')),
        end: () => ended ? noBytes : done,
      }
    },
  }
}

/** The first choice was given its role in the start; others still open with theirs. */
function withoutRole(choice: JsonObject): JsonObject {
  const delta = objectOf(choice.delta)
  if (delta?.role === undefined || (choice.index ?? 0) !== 0) return choice
  const { role: _, ...rest } = delta
  return { ...choice, delta: rest }
}

function saysNothing({ delta, finish_reason }: JsonObject): boolean {
  const empty = (value: Json | undefined): boolean =>
    value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)
  return (finish_reason ?? null) === null && Object.values(objectOf(delta) ?? {}).every(empty)
}
