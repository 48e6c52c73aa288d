import type { ProtocolId } from './id.ts'
import type { ReasoningProof } from './request.ts'

/**
 * Reasoning of one protocol inside the opaque field of another.
 *
 * A thinking signature must come back to its issuer byte for byte, through a client whose protocol has only an opaque
 * string for such things. So the string holds the issuer, the id, the texts and the proof. It is a wrapper and no
 * secret: whoever could forge it could send the same reasoning directly.
 */
export interface PackedReasoning {
  readonly id: string | null
  readonly content: readonly string[]
  readonly summary: readonly string[]
  readonly proof: ReasoningProof | null
}

/** How everything begins that gw puts into an opaque field. */
export const mark = 'gw1.'
/** How it begins where the field holds bytes in base64: of `gw1.W`, less what the next character decides. */
export const signatureMark = 'Z3cxL'
const issuers: readonly ProtocolId[] = ['openai-chat', 'openai-responses', 'anthropic-messages', 'gemini']
const kinds = ['signature', 'encrypted', 'redacted'] as const

/** Whether an opaque field was written by {@link packReasoning}. */
function isPacked(text: string): boolean {
  return text.startsWith(mark)
}

/** How what gw put into opaque fields shows in the text of a body. */
export const packedMarks: readonly string[] = [`"${mark}`, `"${signatureMark}`]

/** The opaque string for reasoning of another issuer. */
export function packReasoning(reasoning: PackedReasoning): string {
  const proof = reasoning.proof
  const json = JSON.stringify([
    proof === null ? -1 : issuers.indexOf(proof.issuer),
    proof === null ? 0 : kinds.indexOf(proof.kind),
    proof?.data ?? '',
    reasoning.id,
    reasoning.content,
    reasoning.summary,
  ])
  return mark + toBase64Url(json)
}

/** The reasoning inside an opaque string; `null` when it is not ours or damaged. */
export function unpackReasoning(text: string): PackedReasoning | null {
  if (!isPacked(text)) return null
  try {
    const value: unknown = JSON.parse(fromBase64Url(text.slice(mark.length)))
    if (!Array.isArray(value) || value.length !== 6) return null
    const [issuer, kind, data, id, content, summary] = value as unknown[]
    if (typeof issuer !== 'number' || typeof kind !== 'number' || typeof data !== 'string') return null
    if (!isTexts(content) || !isTexts(summary) || !(id === null || typeof id === 'string')) return null
    const [from, how] = [issuers[issuer], kinds[kind]]
    if (issuer >= 0 && (from === undefined || how === undefined)) return null
    return { id, content, summary, proof: issuer < 0 ? null : { issuer: from!, kind: how!, data } }
  } catch {
    return null
  }
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}

function toBase64Url(text: string): string {
  return toBase64(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Base64 of a text's UTF-8 bytes. */
export function toBase64(text: string): string {
  const bytes = new TextEncoder().encode(text)
  let binary = ''
  for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192))
  return btoa(binary)
}

function fromBase64Url(text: string): string {
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'))
}

/** The text whose UTF-8 bytes a base64 string holds. Throws on what is no base64 or no UTF-8. */
export function fromBase64(text: string): string {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
}

/** Effort for a budget of thinking tokens: the nearest step. */
export function effortForBudget(tokens: number): string {
  return tokens <= 2048 ? 'low' : tokens <= 12_288 ? 'medium' : 'high'
}
