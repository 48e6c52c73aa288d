// An agent's first questions to gw, over MCP: what may I do here, and which account would serve me?
// agent.ts ADDRESS MODEL, with its token in GW_TOKEN.
import process from 'node:process'
// @ts-types="@modelcontextprotocol/sdk/client/index"
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
// @ts-types="@modelcontextprotocol/sdk/client/streamableHttp"
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const [address = 'http://127.0.0.1:8080', model = 'demo-small'] = process.argv.slice(2)
const client = new Client({ name: 'example-agent', version: '1.0.0' })
await client.connect(
  new StreamableHTTPClientTransport(new URL('/mcp', address), {
    requestInit: { headers: { authorization: `Bearer ${process.env.GW_TOKEN}` } },
  }),
)
const { tools } = await client.listTools()
console.log('tools:', tools.map(({ name }) => name).join(', '))
const plan = await client.callTool({ name: 'route_plan', arguments: { model } })
console.log('route:', JSON.stringify(plan.structuredContent))
await client.close()
