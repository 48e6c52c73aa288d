import type { TargetEvidence } from '../liveness/mod.ts'
import { failureOf, readHttpFailure } from '../upstream/mod.ts'

/** What an answer of a tool server says about it, for the same board that model targets stand on. */
export function evidenceOf(reply: Response, now: number): TargetEvidence {
  const { status, headers } = reply
  const source = 'http_status'
  // Refusals of the call itself come from a server that is well.
  if (status < 500 && ![401, 403, 429].includes(status)) return { is: 'success', source, status }
  return { is: 'failure', source, failure: readHttpFailure({ status, headers, body: new Uint8Array(), now }) }
}

/** What a call that got no answer says. */
export function evidenceOfError(error: unknown): TargetEvidence {
  const message = error instanceof Error ? error.message : String(error)
  return { is: 'failure', source: 'http_status', failure: failureOf('unreachable', message, 'provider') }
}
