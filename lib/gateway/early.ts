import type { Watcher } from '../base/mod.ts'
import type { Wire } from '../protocol/mod.ts'
import { streamFields } from './answer.ts'
import type { Line } from './attempt.ts'
import { stemOf } from './call.ts'
import type { Closer } from './settle.ts'
import { wireOf } from './surfaces.ts'

/**
 * Keeps a caller of a stream company while nobody has said anything yet.
 *
 * After five seconds without content its stream is opened and kept alive, so that no client and no proxy between gives
 * up, while a failing target can still be replaced by the next: what goes out is gw's own start, under gw's own id, which
 * the answer of any target then goes on.
 */
export function keepCompany(line: Line): void {
  const wire = wireOf(line.row)
  if (!line.ask.stream || !wire) return
  const company = new Company(line, wire)
  line.rooms.ticker.watch(company)
  line.ledger.onClose(company)
}

class Company implements Watcher, Closer {
  readonly #line: Line
  readonly #wire: Wire
  readonly #since: number
  #lastOut: number

  constructor(line: Line, wire: Wire) {
    this.#line = line
    this.#wire = wire
    this.#since = this.#lastOut = line.rooms.ticker.now
  }

  beat(now: number): void {
    const { call, ask, answer, ledger, rooms: { limits, clock } } = this.#line
    if (answer.committed || answer.left) {
      ledger.offClose(this)
      return this.closed()
    }
    const alive = (): Uint8Array<ArrayBuffer> => (answer.own ?? this.#wire.tracker()).keepAlive()
    if (answer.down) {
      if (now - this.#lastOut < limits.keepAliveMs || answer.down.full) return
      this.#lastOut = now
      answer.down.write(alive())
    } else if (now - this.#since >= limits.openAfterMs) {
      this.#lastOut = now
      if (!this.#wire.own) return answer.open(200, streamFields(call.id)).write(alive())
      const body = ask.body.parsed()
      const own = { stem: stemOf(call), createdAt: Math.floor(clock.now() / 1000), model: ask.model ?? '', body }
      answer.begin(this.#wire.own(own), streamFields(call.id))
    }
  }

  closed(): void {
    this.#line.rooms.ticker.unwatch(this)
  }
}
