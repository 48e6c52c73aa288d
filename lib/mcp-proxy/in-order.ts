// @ts-types="@modelcontextprotocol/sdk/shared/transport"
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'

/**
 * Lets a connected client hear each message before the next. The library hears a notification a moment after it came and
 * an answer at once, so that a report of progress which comes in one piece with the answer to its call would find the
 * call over, and be dropped.
 */
export function deliverInOrder(transport: Pick<Transport, 'onmessage'>, failed: (error: Error) => void): void {
  const deliver = transport.onmessage
  if (!deliver) return
  let turn = Promise.resolve()
  transport.onmessage = (message, extra) => {
    turn = turn.then(() => deliver(message, extra)).catch(failed)
  }
}
