// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import type { EventId, EventStore, StreamId } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'

const maxEvents = 256
const maxChars = 1024 * 1024

/** The last events of one session, so that a client whose connection broke can go on where it was. Bounded. */
export function boundedEventStore(): EventStore {
  const events: { id: EventId; stream: StreamId; message: JSONRPCMessage; chars: number }[] = []
  let chars = 0
  let last = 0
  return {
    storeEvent(stream, message) {
      const id = `${stream}-${++last}`
      const size = JSON.stringify(message).length
      events.push({ id, stream, message, chars: size })
      chars += size
      while (events.length > maxEvents || (chars > maxChars && events.length > 1)) chars -= events.shift()!.chars
      return Promise.resolve(id)
    },
    getStreamIdForEventId: (id) => Promise.resolve(events.find((event) => event.id === id)?.stream),
    async replayEventsAfter(lastEventId, { send }) {
      const at = events.findIndex((event) => event.id === lastEventId)
      if (at < 0) throw new Error('the event is no longer kept')
      const { stream } = events[at]!
      for (const event of events.slice(at + 1)) {
        // An empty message is the mark that primes a stream: it has nothing to replay.
        if (event.stream === stream && 'jsonrpc' in event.message) await send(event.id, event.message)
      }
      return stream
    },
  }
}
