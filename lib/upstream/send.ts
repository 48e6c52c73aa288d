import { type Clock, GwError } from '../base/mod.ts'
import type { Egress } from '../egress/mod.ts'
import type { Dialling } from '../platform/mod.ts'
import { receive, refusalOf } from './answer.ts'
import type { UpstreamCall, UpstreamRefusal, UpstreamReply } from './call.ts'
import { setField } from './headers.ts'
import { createPlaces, type Place, type PlaceOptions } from './place.ts'
import { sign } from './signers/mod.ts'

/** A call under way. */
export interface Sending {
  readonly reply: Promise<UpstreamReply | UpstreamRefusal>
  /** Gives up in any phase: the connection closes, and the body of an answer ends. */
  cancel(): void
}

/** Sends calls to targets. */
export interface Upstream {
  send(call: UpstreamCall): Sending
}

/** What {@link createUpstream} needs. */
export interface UpstreamOptions extends PlaceOptions {
  readonly egress: Pick<Egress, 'open'>
  readonly clock: Clock
}

/** The sender: endpoint, signature, egress, and failures as values. */
export function createUpstream({ egress, clock, ...places }: UpstreamOptions): Upstream {
  const way: Way = { placeOf: createPlaces(places), egress, clock }
  return { send: (call) => new Call(call, way) }
}

/** What all calls of one sender share. */
interface Way {
  readonly placeOf: (call: UpstreamCall) => Place
  readonly egress: Pick<Egress, 'open'>
  readonly clock: Clock
}

/** One call under way. A class, because there is one of it for each request. */
class Call implements Sending {
  readonly reply: Promise<UpstreamReply | UpstreamRefusal>
  #dialling: Dialling | null = null
  #cancelled = false

  constructor(call: UpstreamCall, way: Way) {
    this.reply = this.#run(call, way)
  }

  cancel(): void {
    this.#cancelled = true
    this.#dialling?.cancel()
  }

  async #run(call: UpstreamCall, { placeOf, egress, clock }: Way): Promise<UpstreamReply | UpstreamRefusal> {
    try {
      const { url, row, scheme } = placeOf(call)
      const { method, headers, body, credential } = call
      if (row?.headers) {
        for (const [name, value] of Object.entries(row.headers)) setField(headers, name.toLowerCase(), value)
      }
      // Compressed answers would have to be inflated to find the usage in them, and may be bombs.
      setField(headers, 'accept-encoding', 'identity')
      const signing = sign({ method, url, headers, body }, credential, scheme)
      if (signing) await signing
      if (this.#cancelled) throw new GwError('cancelled', 'the call was given up')
      const { provider } = call.target
      const local = row?.local ?? false
      const dialling = this.#dialling = egress.open({ url, method, headers, body, provider, local })
      const received = receive(call, await dialling.reply, clock)
      return received instanceof Promise ? await received : received
    } catch (error) {
      return refusalOf(error)
    }
  }
}
