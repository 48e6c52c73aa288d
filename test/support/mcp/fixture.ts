// @ts-types="@modelcontextprotocol/sdk/server/index"
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
// @ts-types="@modelcontextprotocol/sdk/server/webStandardStreamableHttp"
import {
  type EventStore,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js'
// @ts-types="@modelcontextprotocol/sdk/types"
import {
  CallToolRequestSchema,
  type CallToolResult,
  CompleteRequestSchema,
  CreateMessageResultSchema,
  ElicitResultSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
  SetLevelRequestSchema,
  SubscribeRequestSchema,
  type Tool,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'

const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
const wav = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA='

const text = (value: string): CallToolResult => ({ content: [{ type: 'text', text: value }] })
const tool = (name: string, description: string, properties: Record<string, object> = {}): Tool => ({
  name,
  description,
  inputSchema: { type: 'object', properties },
})

const tools: Tool[] = [
  tool('test_simple_text', 'Returns a line of text'),
  tool('test_image_content', 'Returns an image'),
  tool('test_audio_content', 'Returns a sound'),
  tool('test_embedded_resource', 'Returns a resource'),
  tool('test_multiple_content_types', 'Returns text, an image and a resource'),
  tool('test_tool_with_logging', 'Logs while it works'),
  tool('test_error_handling', 'Always fails'),
  tool('test_tool_with_progress', 'Reports progress'),
  tool('test_sampling', 'Asks the client for a completion', { prompt: { type: 'string' } }),
  tool('test_elicitation', 'Asks the user something', { message: { type: 'string' } }),
  tool('test_elicitation_sep1034_defaults', 'Asks with defaults'),
  tool('test_elicitation_sep1330_enums', 'Asks with choices'),
  tool('test_reconnection', 'Closes its stream in the middle of the call'),
  tool('echo', 'Returns its argument', { value: {} }),
  {
    name: 'json_schema_2020_12_tool',
    description: 'Has a schema with definitions',
    inputSchema: {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      $defs: { address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } } },
      properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
      additionalProperties: false,
    },
  } as Tool,
]

const defaults = {
  type: 'object',
  properties: {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
}

const titled = (first: string) => [1, 2, 3].map((n) => ({ const: `value${n}`, title: `${first} ${n}` }))
const enums = {
  type: 'object',
  properties: {
    untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
    titledSingle: { type: 'string', oneOf: titled('Option') },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2', 'opt3'], enumNames: ['One', 'Two', 'Three'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
    titledMulti: { type: 'array', items: { anyOf: titled('Choice') } },
  },
}

/** A tool server that has every tool, prompt and resource that the public conformance suite asks for. */
export function fixtureServer(extra: readonly Tool[] = []): Server {
  const server = new Server({ name: 'fixture', version: '1.0.0' }, {
    capabilities: {
      tools: { listChanged: true },
      prompts: {},
      resources: { subscribe: true },
      logging: {},
      completions: {},
    },
  })
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools: [...tools, ...extra] }))
  let level = 'none'
  const watched = new Set<string>()
  server.setRequestHandler(SetLevelRequestSchema, ({ params }) => {
    level = params.level
    return {}
  })
  server.setRequestHandler(SubscribeRequestSchema, ({ params }) => {
    watched.add(params.uri)
    return {}
  })
  server.setRequestHandler(UnsubscribeRequestSchema, ({ params }) => {
    watched.delete(params.uri)
    return {}
  })
  server.setRequestHandler(CompleteRequestSchema, ({ params: { ref } }) => ({
    completion: { values: ['paris', ref.type === 'ref/prompt' ? ref.name : ref.uri], hasMore: false },
  }))

  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra): Promise<CallToolResult> => {
    const args = params.arguments ?? {}
    switch (params.name) {
      case 'test_simple_text':
        return text('This is a simple text response for testing.')
      case 'test_image_content':
        return { content: [{ type: 'image', data: png, mimeType: 'image/png' }] }
      case 'test_audio_content':
        return { content: [{ type: 'audio', data: wav, mimeType: 'audio/wav' }] }
      case 'test_embedded_resource': {
        const resource = { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'embedded' }
        return { content: [{ type: 'resource', resource }] }
      }
      case 'test_multiple_content_types': {
        const resource = { uri: 'test://mixed-content-resource', mimeType: 'application/json', text: '{"test":"data"}' }
        return {
          content: [
            { type: 'text', text: 'Multiple content types test:' },
            { type: 'image', data: png, mimeType: 'image/png' },
            { type: 'resource', resource },
          ],
        }
      }
      case 'test_tool_with_logging':
        for (const data of ['started', 'working', 'done']) {
          await extra.sendNotification({ method: 'notifications/message', params: { level: 'info', data } })
        }
        return text('logged')
      case 'test_error_handling':
        return { ...text('This tool intentionally returns an error for testing'), isError: true }
      case 'test_tool_with_progress': {
        const progressToken = extra._meta?.progressToken ?? 0
        for (const progress of [0, 50, 100]) {
          await extra.sendNotification({
            method: 'notifications/progress',
            params: { progressToken, progress, total: 100 },
          })
        }
        return text('progressed')
      }
      case 'test_sampling': {
        const messages = [{ role: 'user' as const, content: { type: 'text' as const, text: String(args.prompt) } }]
        const result = await extra.sendRequest(
          { method: 'sampling/createMessage', params: { messages, maxTokens: 100 } },
          CreateMessageResultSchema,
        )
        return text(`LLM response: ${JSON.stringify(result.content)}`)
      }
      case 'test_elicitation':
        return ask(String(args.message), {
          type: 'object',
          properties: { username: { type: 'string' }, email: { type: 'string' } },
          required: ['username', 'email'],
        })
      case 'test_elicitation_sep1034_defaults':
        return ask('Please review', defaults)
      case 'test_elicitation_sep1330_enums':
        return ask('Please choose', enums)
      case 'test_reconnection':
        extra.closeSSEStream?.()
        await new Promise((resolve) => setTimeout(resolve, 100))
        return text('reconnected')
      case 'touch':
        for (const uri of watched) await server.sendResourceUpdated({ uri })
        return text([...watched].join(' '))
      case 'level':
        return text(level)
      case 'roots':
        return text(JSON.stringify(await server.listRoots()))
      case 'echo':
        return text(JSON.stringify(args))
      default:
        return text(`called ${params.name}`)
    }
    async function ask(message: string, requestedSchema: object): Promise<CallToolResult> {
      const result = await extra.sendRequest(
        { method: 'elicitation/create', params: { message, requestedSchema: requestedSchema as never } },
        ElicitResultSchema,
      )
      return text(`Elicitation completed: action=${result.action}, content=${JSON.stringify(result.content)}`)
    }
  })

  const argument = (name: string) => ({ name, description: name, required: true })
  server.setRequestHandler(ListPromptsRequestSchema, () => ({
    prompts: [
      { name: 'test_simple_prompt', description: 'A prompt' },
      { name: 'test_prompt_with_arguments', description: 'With arguments', arguments: ['arg1', 'arg2'].map(argument) },
      { name: 'test_prompt_with_embedded_resource', description: 'Embeds', arguments: [argument('resourceUri')] },
      { name: 'test_prompt_with_image', description: 'Shows' },
    ],
  }))
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => {
    const args = params.arguments ?? {}
    const said = (value: string) => ({ role: 'user' as const, content: { type: 'text' as const, text: value } })
    if (params.name === 'test_simple_prompt') return { messages: [said('This is a simple prompt for testing.')] }
    if (params.name === 'test_prompt_with_arguments') {
      return { messages: [said(`Prompt with arguments: arg1='${args.arg1}', arg2='${args.arg2}'`)] }
    }
    if (params.name === 'test_prompt_with_image') {
      const content = { type: 'image' as const, data: png, mimeType: 'image/png' }
      return { messages: [{ role: 'user', content }, said('Please look at the image.')] }
    }
    const resource = { uri: String(args.resourceUri), mimeType: 'text/plain', text: 'Embedded resource content.' }
    return { messages: [{ role: 'user', content: { type: 'resource', resource } }, said('Please read it.')] }
  })

  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: [
      { uri: 'test://static-text', name: 'static text', description: 'Text', mimeType: 'text/plain' },
      { uri: 'test://static-binary', name: 'static binary', description: 'Image', mimeType: 'image/png' },
      { uri: 'test://watched-resource', name: 'watched', description: 'Watched', mimeType: 'text/plain' },
    ],
  }))
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({
    resourceTemplates: [{ uriTemplate: 'test://template/{id}/data', name: 'template', mimeType: 'application/json' }],
  }))
  server.setRequestHandler(ReadResourceRequestSchema, ({ params: { uri } }) => {
    const template = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)
    if (uri === 'test://static-binary') return { contents: [{ uri, mimeType: 'image/png', blob: png }] }
    if (template) {
      const content = JSON.stringify({ id: template[1], templateTest: true, data: `Data for ID: ${template[1]}` })
      return { contents: [{ uri, mimeType: 'application/json', text: content }] }
    }
    return { contents: [{ uri, mimeType: 'text/plain', text: 'This is the content of the static text resource.' }] }
  })
  return server
}

/** A fixture server listening on a free loopback port. */
export interface FixtureHttpServer {
  readonly url: string
  /** Headers of each request it got, newest last. */
  readonly requests: { method: string; headers: Headers }[]
  /** Loses every session, as a restart would. */
  forget(): void
  stop(): Promise<void>
}

/** Starts {@link fixtureServer} over Streamable HTTP; `guard` may answer a request itself (a 401, a wrong host). */
export function serveFixture(
  options: { extra?: readonly Tool[]; guard?: (request: Request) => Response | undefined } = {},
): FixtureHttpServer {
  const sessions = new Map<string, WebStandardStreamableHTTPServerTransport>()
  const requests: FixtureHttpServer['requests'] = []
  const http = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    idleTimeout: 0,
    async fetch(request) {
      requests.push({ method: request.method, headers: request.headers })
      const guarded = options.guard?.(request)
      if (guarded) return guarded
      const host = request.headers.get('host') ?? ''
      const origin = request.headers.get('origin')
      if (!local(host) || (origin !== null && !local(new URL(origin).host))) return new Response(null, { status: 403 })
      const id = request.headers.get('mcp-session-id')
      if (id !== null) {
        const open = sessions.get(id)
        return open ? await open.handleRequest(request) : new Response(null, { status: 404 })
      }
      const transport = new WebStandardStreamableHTTPServerTransport({
        sessionIdGenerator: () => crypto.randomUUID(),
        eventStore: memoryEvents(),
        retryInterval: 500,
        onsessioninitialized: (session) => void sessions.set(session, transport),
        onsessionclosed: (session) => void sessions.delete(session),
      })
      // deno-lint-ignore no-explicit-any -- the SDK's transport types do not agree under exactOptionalPropertyTypes
      await fixtureServer(options.extra).connect(transport as any)
      return transport.handleRequest(request)
    },
  })
  return {
    url: `http://127.0.0.1:${http.port}/mcp`,
    requests,
    forget: () => sessions.clear(),
    stop: async () => {
      for (const transport of sessions.values()) await transport.close()
      await http.stop(true)
    },
  }
}

const local = (host: string) => /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(host)

function memoryEvents(): EventStore {
  const events: { id: string; stream: string; message: unknown }[] = []
  return {
    storeEvent(stream, message) {
      const id = `${stream}_${events.length}`
      events.push({ id, stream, message })
      return Promise.resolve(id)
    },
    getStreamIdForEventId: (id) => Promise.resolve(events.find((event) => event.id === id)?.stream),
    async replayEventsAfter(last, { send }) {
      const at = events.findIndex((event) => event.id === last)
      const stream = events[at]!.stream
      for (const event of events.slice(at + 1)) {
        if (event.stream === stream && Object.keys(event.message as object).length > 0) {
          await send(event.id, event.message as never)
        }
      }
      return stream
    },
  }
}
