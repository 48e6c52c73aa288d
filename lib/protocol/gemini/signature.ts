import {
  fromBase64,
  type PackedReasoning,
  packReasoning,
  signatureMark,
  toBase64,
  unpackReasoning,
} from '../reasoning.ts'

/**
 * Where a thought signature stood, which is where it must stand again: on a call (its id), on a text, or on an empty
 * text of its own. Kept as the id of the reasoning part that holds the signature.
 */
export const onText = 'gw_text'
/** See {@link onText}. */
export const onItself = 'gw_part'

/** Ids of calls that came without one. They mean something to the caller only and never go back upstream. */
const madeId = 'call_gw_'

/** An id for the nth call without one in a document. */
export function callIdFor(stem: string, n: number): string {
  return `${madeId}${stem}${n}`
}

/** Whether gw made the id. */
export function isMadeId(id: string): boolean {
  return id.startsWith(madeId)
}

/** Reasoning of other issuers as a signature. The field holds bytes, so what gw puts there is base64 like the rest. */
export function packSignature(parts: readonly PackedReasoning[]): string {
  return toBase64(parts.map(packReasoning).join(','))
}

/** The reasoning of other issuers in a signature, without what is damaged; `null` when it is the API's own. */
export function unpackSignature(signature: string): PackedReasoning[] | null {
  if (!signature.startsWith(signatureMark)) return null
  try {
    // Some clients read the bytes and write them in the other alphabet of base64.
    const text = fromBase64(signature.replaceAll('-', '+').replaceAll('_', '/'))
    return text.split(',').map(unpackReasoning).filter((part) => part !== null)
  } catch {
    return []
  }
}
