import type { JsonObject } from '../../base/mod.ts'
import type { ResponsePart } from '../event.ts'
import { compact, stringOf } from '../read.ts'
import { packReasoning, unpackReasoning } from '../reasoning.ts'
import type { ReasoningPart } from '../request.ts'

const formats: Readonly<Record<string, 'anthropic-messages' | 'openai-responses' | 'gemini'>> = {
  'anthropic-claude-v1': 'anthropic-messages',
  'openai-responses-v1': 'openai-responses',
  'google-gemini-v1': 'gemini',
}

/** One entry of `reasoning_details`. */
export function decodeReasoningDetail(detail: JsonObject, path: string): ReasoningPart {
  const issuer = formats[detail.format as string] ?? 'openai-chat'
  const id = stringOf(detail.id)
  const base = { type: 'reasoning', path, id, content: [], summary: [], proof: null } as const
  if (detail.type === 'reasoning.summary') return { ...base, summary: [stringOf(detail.summary) ?? ''] }
  if (detail.type === 'reasoning.encrypted') {
    const data = stringOf(detail.data) ?? ''
    const packed = unpackReasoning(data)
    if (packed !== null) return { ...base, ...packed }
    return { ...base, proof: { issuer, kind: issuer === 'anthropic-messages' ? 'redacted' : 'encrypted', data } }
  }
  const signature = stringOf(detail.signature)
  return {
    ...base,
    content: [stringOf(detail.text) ?? ''],
    proof: signature === null ? null : { issuer, kind: 'signature', data: signature },
  }
}

/** The `reasoning_details` of one reasoning part: in the issuer's own form where there is one, else packed. */
export function encodeReasoningDetails(
  part: Extract<ResponsePart, { type: 'reasoning' }>,
  index: number,
): JsonObject[] {
  const { proof } = part
  if (proof === null) return []
  if (proof.issuer === 'anthropic-messages') {
    const format = 'anthropic-claude-v1'
    return proof.kind === 'redacted'
      ? [{ type: 'reasoning.encrypted', data: proof.data, format, index }]
      : [{ type: 'reasoning.text', text: part.content.join('\n\n'), signature: proof.data, format, index }]
  }
  return [
    compact({
      type: 'reasoning.encrypted',
      id: part.id ?? undefined,
      data: packReasoning(part),
      format: 'gw-v1',
      index,
    }),
  ]
}
