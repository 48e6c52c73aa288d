import { expect, test } from 'bun:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { join, resolve } from 'node:path'
import { serveProxy } from '../../support/mcp/proxy.ts'

const program = join(
  resolve(import.meta.dir, '../../..'),
  'node_modules/@modelcontextprotocol/server-everything/dist/index.js',
)

test('the reference server works through gw: tools, progress, prompts, resources, completion', async () => {
  const proxy = await serveProxy({ servers: { everything: { command: [process.execPath, program, 'stdio'] } } })
  const client = new Client({ name: 'test', version: '1' })
  try {
    // deno-lint-ignore no-explicit-any -- the SDK's transport types do not agree under exactOptionalPropertyTypes
    await client.connect(new StreamableHTTPClientTransport(new URL(proxy.url('everything'))) as any)
    const { tools } = await client.listTools()
    expect(tools.length).toBeGreaterThan(8)
    expect((await client.callTool({ name: 'get-sum', arguments: { a: 2, b: 40 } })).content)
      .toEqual([{ type: 'text', text: expect.stringContaining('42') }])
    const seen: number[] = []
    await client.callTool(
      { name: 'trigger-long-running-operation', arguments: { duration: 0.2, steps: 4 } },
      undefined,
      {
        onprogress: ({ progress }) => seen.push(progress),
      },
    )
    expect(seen.length).toBeGreaterThan(1)
    expect((await client.listPrompts()).prompts.length).toBeGreaterThan(0)
    const { resources } = await client.listResources()
    expect((await client.readResource({ uri: resources[0]!.uri })).contents.length).toBe(1)
    await expect(client.callTool({ name: 'get-sum', arguments: { a: 'x' } })).resolves.toMatchObject({ isError: true })
  } finally {
    await client.close()
    await proxy.stop()
  }
}, 30_000)
