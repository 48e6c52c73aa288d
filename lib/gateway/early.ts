import type { Watcher } from '../base/mod.ts'
import { streamFields } from './answer.ts'
import type { Line } from './attempt.ts'
import { stemOf } from './call.ts'
import { wireOf } from './surfaces.ts'

/**
 * Keeps a caller of a stream company while nobody has said anything yet.
 *
 * After five seconds without content its stream is opened and kept alive, so that no client and no proxy between gives
 * up, while a failing target can still be replaced by the next: what goes out is gw's own start, under gw's own id, which
 * the answer of any target then goes on.
 */
export function keepCompany({ call, row, ask, answer, ledger, rooms }: Line): void {
  const wire = wireOf(row)
  if (!ask.stream || !wire) return
  const { ticker, limits } = rooms
  const since = ticker.now
  let lastOut = since
  const alive = (): Uint8Array<ArrayBuffer> => (answer.own ?? wire.tracker()).keepAlive()
  const watcher: Watcher = {
    beat(now) {
      if (answer.committed || answer.left) return ticker.unwatch(watcher)
      if (answer.down) {
        if (now - lastOut < limits.keepAliveMs || answer.down.full) return
        lastOut = now
        answer.down.write(alive())
      } else if (now - since >= limits.openAfterMs) {
        lastOut = now
        if (!wire.own) return answer.open(200, streamFields(call.id)).write(alive())
        const body = ask.body.parsed()
        const own = {
          stem: stemOf(call),
          createdAt: Math.floor(rooms.clock.now() / 1000),
          model: ask.model ?? '',
          body,
        }
        answer.begin(wire.own(own), streamFields(call.id))
      }
    },
  }
  ticker.watch(watcher)
  ledger.onClose(() => ticker.unwatch(watcher))
}
