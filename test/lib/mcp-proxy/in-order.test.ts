// @ts-types="@modelcontextprotocol/sdk/client/index"
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
// @ts-types="@modelcontextprotocol/sdk/shared/transport"
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import { CallToolResultSchema, type JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { expect, test } from 'bun:test'
import { deliverInOrder } from '../../../lib/mcp-proxy/in-order.ts'

/** A server that sends its last report and its answer in one piece. */
function hasty(): Transport {
  const transport: Transport = {
    start: () => Promise.resolve(),
    close: () => Promise.resolve(),
    send(message: JSONRPCMessage) {
      if (!('method' in message) || !('id' in message)) return Promise.resolve()
      const { id, method } = message
      const say = (said: object) => transport.onmessage?.({ jsonrpc: '2.0', ...said } as JSONRPCMessage)
      if (method === 'initialize') {
        say({
          id,
          result: { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'hasty', version: '1' } },
        })
      } else {
        const progressToken = message.params?._meta?.progressToken
        for (const progress of [1, 2]) say({ method: 'notifications/progress', params: { progressToken, progress } })
        say({ id, result: { content: [] } })
      }
      return Promise.resolve()
    },
  }
  return transport
}

test('a report of progress that comes in one piece with the answer is heard before it', async () => {
  const transport = hasty()
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(transport)
  deliverInOrder(transport, () => {})
  const seen: number[] = []
  await client.request({ method: 'tools/call', params: { name: 'x', arguments: {} } }, CallToolResultSchema, {
    onprogress: ({ progress }) => void seen.push(progress),
  })
  expect(seen).toEqual([1, 2])
})

test('a message that cannot be taken is reported, and the next one is heard', async () => {
  const heard: string[] = []
  const errors: string[] = []
  const transport: Pick<Transport, 'onmessage'> = {
    onmessage: (message) => {
      const { method } = message as { method: string }
      if (method === 'bad') throw new Error('bad')
      heard.push(method)
    },
  }
  deliverInOrder(transport, ({ message }) => errors.push(message))
  for (const method of ['bad', 'good']) transport.onmessage!({ jsonrpc: '2.0', method })
  await new Promise((resolve) => setImmediate(resolve))
  expect([errors, heard]).toEqual([['bad'], ['good']])
})
