import { type Clock, cutCredential, GwError, isGwError, readAll, redact } from '../base/mod.ts'
import type { Credential } from '../credentials/mod.ts'
import { classifyFailure } from '../liveness/mod.ts'
import type { DialReply } from '../platform/mod.ts'
import { type FailureKind, upstreamFailure } from '../protocol/mod.ts'
import type { UpstreamCall, UpstreamRefusal, UpstreamReply } from './call.ts'
import { withoutCredential } from './headers.ts'
import { inflate } from './inflate.ts'

/** How much of an error's body is read. */
const maxErrorBytes = 64 * 1024

/**
 * What came back on a call, once its head is there: a success with its body on the way, a refusal read to its end.
 *
 * @throws GwError `upstream.invalid` for a content coding nobody here knows
 */
export function receive(
  call: UpstreamCall,
  reply: DialReply,
  clock: Clock,
): UpstreamReply | Promise<UpstreamRefusal> {
  const coding = reply.headers.get('content-encoding')
  const coded = coding !== null && coding !== 'identity' && coding !== ''
  const body = coded ? inflate(reply.body, coding) : reply.body
  if (body === null) {
    reply.body.cancel()
    throw new GwError('upstream.invalid', `the provider answered in the unknown content coding ${redact(coding!, 40)}`)
  }
  const { status, headers } = reply
  if (status >= 200 && status < 300) return { ok: true, status, headers, length: coded ? null : reply.length, body }
  return refused(call, { status, headers, body }, clock)
}

async function refused(
  call: UpstreamCall,
  reply: Pick<DialReply, 'status' | 'headers' | 'body'>,
  clock: Clock,
): Promise<UpstreamRefusal> {
  const { status } = reply
  if (status >= 300 && status < 400) {
    reply.body.cancel()
    return refusal('malformed', `the provider answered with a redirect (${status})`)
  }
  const raw = await readAll(reply.body, maxErrorBytes) ?? new Uint8Array()
  const body = withoutSecret(raw, call.credential)
  const headers = withoutCredential(reply.headers, call.credential.secret)
  const failure = classifyFailure({ status, headers, body, now: clock.now(), model: call.target.model })
  return { ok: false, failure, answer: { status, headers, body } }
}

/** What stopped a call before it had an answer, as a failure. Throws on what is no error of gw: that is a bug. */
export function refusalOf(error: unknown): UpstreamRefusal {
  if (!isGwError(error)) throw error
  const { code, message } = error
  switch (code) {
    case 'cancelled':
      return refusal('cancelled', message)
    case 'upstream.unreachable':
      // A name that this machine cannot look up says nothing about whom it names.
      return String(error.details?.reason).startsWith('dns_')
        ? refusal('local', remedied(error), code)
        : refusal('unreachable', message)
    case 'upstream.timeout':
      return refusal('timeout', message)
    case 'upstream.invalid':
      return refusal('malformed', message)
    case 'request.unsupported':
      // Says nothing about the account: the provider has no such surface.
      return { ok: false, failure: { ...upstreamFailure('entitlement', message), scope: 'request' }, answer: null }
    default:
      return refusal('local', remedied(error), code)
  }
}

const refusal = (kind: FailureKind, message: string, code: string | null = null): UpstreamRefusal => ({
  ok: false,
  failure: upstreamFailure(kind, message, { code }),
  answer: null,
})

/** What stopped gw itself, with what its owner can do about it: a failure has room for one sentence. */
const remedied = ({ message, hint }: GwError): string => hint ? `${message} (${hint})` : message

/** An upstream may echo what we sent: our credential never reaches the caller in its error text. */
function withoutSecret(bytes: Uint8Array<ArrayBuffer>, credential: Credential): Uint8Array<ArrayBuffer> {
  const text = new TextDecoder().decode(bytes)
  const cut = cutCredential(text, credential.secret)
  return cut === text ? bytes : new TextEncoder().encode(cut)
}
