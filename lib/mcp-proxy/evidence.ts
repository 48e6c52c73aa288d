import { classifyFailure, type TargetEvidence } from '../liveness/mod.ts'
import { upstreamFailure } from '../protocol/mod.ts'

/** What an answer of a tool server says about it, for the same board that model targets stand on. */
export function evidenceOf(reply: Response, now: number): TargetEvidence {
  const { status, headers } = reply
  const source = 'http_status'
  // Refusals of the call itself come from a server that is well.
  if (status < 500 && ![401, 403, 429].includes(status)) return { is: 'success', source, status }
  return { is: 'failure', source, failure: classifyFailure({ status, headers, body: '', now }) }
}

/** What a call that got no answer says. */
export function evidenceOfError(error: unknown): TargetEvidence {
  const message = error instanceof Error ? error.message : String(error)
  return { is: 'failure', source: 'http_status', failure: upstreamFailure('unreachable', message) }
}
