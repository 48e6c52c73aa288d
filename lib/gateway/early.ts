import { streamFields } from './answer.ts'
import type { Line } from './attempt.ts'
import { wireOf } from './surfaces.ts'

/**
 * Keeps a caller of a stream company while nobody has said anything yet.
 *
 * After five seconds without content its stream is opened and kept alive, so that no client and no proxy between gives
 * up, while a failing target can still be replaced by the next: what goes out means nothing in any protocol, or is an
 * opening that the next target's answer continues.
 */
export function keepCompany({ call, row, ask, answer, ledger, rooms }: Line): void {
  const wire = wireOf(row)
  if (!ask.stream || !wire) return
  const { ticker, limits } = rooms
  const since = ticker.now
  let lastOut = since
  const unwatch = ticker.watch((now) => {
    if (answer.committed || answer.left) return unwatch()
    if (answer.down) {
      if (now - lastOut < limits.keepAliveMs || answer.down.full) return
      lastOut = now
      answer.down.write(wire.tracker().keepAlive())
    } else if (now - since >= limits.openAfterMs) {
      const pieces = wire.startsFirst ? answer.takeOpening()?.pieces : [wire.tracker().keepAlive()]
      if (!pieces) return
      lastOut = now
      const down = answer.open(200, streamFields(call.id))
      for (const piece of pieces) down.write(piece)
    }
  })
  ledger.onClose(unwatch)
}
