import type { JsonObject } from '../base/mod.ts'
import { type Loss, middleOut, stripReasoning } from '../protocol/mod.ts'
import type { TargetEdit } from '../routing/mod.ts'
import type { Line } from './attempt.ts'
import { jsonBody } from './body.ts'

/** A request as one target gets it, and what was left out of it. */
export interface EditedLine {
  readonly line: Line
  readonly losses: readonly Loss[]
}

/**
 * Carries out the edits that the plan states for a target. They are made in the caller's own protocol, before any
 * translation, and each is a loss: shown in `x-gw-losses` and kept in the record.
 */
export function editedLine(line: Line, edit: TargetEdit | undefined): EditedLine {
  if (edit === undefined) return { line, losses: [] }
  const { protocol } = line.row
  const losses: Loss[] = []
  let body = JSON.parse(new TextDecoder().decode(line.ask.body.bytes)) as JsonObject
  const stripped = edit.stripReasoning ? stripReasoning(protocol, body) : null
  if (stripped) {
    body = stripped.body
    losses.push(...stripped.losses)
  }
  const compressed = edit.promptTokens === null ? null : middleOut(protocol, body, edit.promptTokens)
  if (compressed) {
    body = compressed.body
    losses.push(...compressed.losses)
  }
  if (losses.length === 0) return { line, losses }
  const bytes = new TextEncoder().encode(JSON.stringify(body))
  const { wrapped } = line.ask
  const ask = { ...line.ask, body: jsonBody(bytes), ...(wrapped ? { wrapped: { ...wrapped, bytes: null } } : {}) }
  return { line: { ...line, ask }, losses }
}
