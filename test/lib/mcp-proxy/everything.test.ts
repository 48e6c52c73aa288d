import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { join, resolve } from 'node:path'
import { type ProxyFixture, serveProxy } from '../../support/mcp/proxy.ts'

const root = resolve(import.meta.dir, '../../..')
const program = join(root, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js')
const limitMs = 60_000
let proxy: ProxyFixture
let child: Bun.Subprocess<'ignore', 'pipe', 'ignore'>

beforeAll(async () => {
  child = Bun.spawn([process.execPath, join(root, 'test/support/mcp/everything-http.ts')], {
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'ignore',
  })
  const { value } = await child.stdout.getReader().read()
  const url = new TextDecoder().decode(value).trim()
  expect(new URL(url).hostname).toBe('127.0.0.1')
  proxy = await serveProxy({
    servers: {
      http: { url, local: true },
      stdio: { command: [process.execPath, program, 'stdio'] },
    },
  })
}, limitMs)
afterAll(async () => {
  await proxy.stop()
  child.kill()
  await child.exited
})

for (
  const [what, path, prefix] of [
    ['over HTTP', 'http', ''],
    ['over stdio', 'stdio', ''],
    ['over HTTP in the merged endpoint', null, 'http__'],
    ['over stdio in the merged endpoint', null, 'stdio__'],
  ] as const
) {
  describe(`the reference server ${what}`, () => {
    let client: Client
    const asked: string[] = []
    const heard = { logs: 0, updates: 0 }
    const call = (name: string, args: Record<string, unknown> = {}) =>
      client.callTool({ name: prefix + name, arguments: args })
    const textOf = async (answer: ReturnType<typeof call>) => JSON.stringify((await answer).content)
    const until = async (met: () => boolean) => {
      const end = Date.now() + 20_000
      while (!met() && Date.now() < end) await Bun.sleep(20)
      expect(met()).toBe(true)
    }

    beforeAll(async () => {
      const capabilities = { sampling: {}, elicitation: {}, roots: { listChanged: true } }
      client = new Client({ name: 'test', version: '1' }, { capabilities })
      client.setRequestHandler(CreateMessageRequestSchema, ({ params }) => {
        asked.push(JSON.stringify(params.messages))
        return { model: 'm', role: 'assistant', content: { type: 'text', text: 'sampled answer' } }
      })
      client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
        asked.push(params.message)
        return { action: 'accept', content: { name: 'Ada', check: true } }
      })
      client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///srv/project', name: 'p' }] }))
      client.setNotificationHandler(LoggingMessageNotificationSchema, () => void heard.logs++)
      client.setNotificationHandler(ResourceUpdatedNotificationSchema, () => void heard.updates++)
      // deno-lint-ignore no-explicit-any -- the SDK's transport types do not agree under exactOptionalPropertyTypes
      await client.connect(new StreamableHTTPClientTransport(new URL(proxy.url(path))) as any)
    }, limitMs)
    afterAll(() => client.close())

    test('tools, with structured content, links, errors and progress', async () => {
      const names = (await client.listTools()).tools.map((tool) => tool.name)
      for (const name of ['echo', 'get-sum', 'trigger-sampling-request', 'trigger-elicitation-request']) {
        expect(names).toContain(prefix + name)
      }
      expect(await textOf(call('get-sum', { a: 2, b: 40 }))).toContain('42')
      expect((await call('get-structured-content', { location: 'New York' })).structuredContent)
        .toMatchObject({ temperature: expect.any(Number) })
      expect((await call('get-resource-links', { count: 2 })).content)
        .toContainEqual(expect.objectContaining({ type: 'resource_link' }))
      await expect(call('get-sum', { a: 'x' })).resolves.toMatchObject({ isError: true })
      const seen: number[] = []
      await client.callTool(
        { name: `${prefix}trigger-long-running-operation`, arguments: { duration: 0.2, steps: 4 } },
        undefined,
        { onprogress: ({ progress }) => seen.push(progress) },
      )
      expect(seen).toEqual([1, 2, 3, 4])
    }, limitMs)

    test('sampling, elicitation and roots, asked back through gw', async () => {
      asked.length = 0
      expect(await textOf(call('trigger-sampling-request', { prompt: 'why?' }))).toContain('sampled answer')
      expect(await textOf(call('trigger-elicitation-request'))).toContain('Ada')
      expect(asked).toEqual([expect.stringContaining('why?'), expect.stringContaining('provide inputs')])
      expect(await textOf(call('get-roots-list'))).toContain('file:///srv/project')
    }, limitMs)

    test('prompts, resources, templates and completion', async () => {
      const prompts = (await client.listPrompts()).prompts.map((prompt) => prompt.name)
      expect(prompts).toContain(`${prefix}args-prompt`)
      const { messages } = await client.getPrompt({ name: `${prefix}args-prompt`, arguments: { city: 'Bern' } })
      expect(JSON.stringify(messages)).toContain('Bern')
      const own = path === null && prefix === 'stdio__' ? 'gw-mcp://stdio/' : ''
      const { resources } = await client.listResources()
      const { uri } = resources.find((resource) => resource.uri.startsWith(`${own}demo://`))!
      expect((await client.readResource({ uri })).contents.length).toBe(1)
      const { resourceTemplates } = await client.listResourceTemplates()
      const template = resourceTemplates.find((one) =>
        one.uriTemplate.startsWith(`${own}demo://resource/dynamic/text/`)
      )!
      const read = await client.readResource({ uri: template.uriTemplate.replace(/\{.*\}/, '3') })
      expect(read.contents[0]!.uri).toBe(template.uriTemplate.replace(/\{.*\}/, '3'))
      const { completion } = await client.complete({
        ref: { type: 'ref/prompt', name: `${prefix}completable-prompt` },
        argument: { name: 'department', value: 'E' },
      })
      expect(completion.values).toContain('Engineering')
    }, limitMs)

    test('subscriptions and log messages', async () => {
      const own = path === null && prefix === 'stdio__' ? 'gw-mcp://stdio/' : ''
      Object.assign(heard, { logs: 0, updates: 0 })
      await client.setLoggingLevel('debug')
      await client.subscribeResource({ uri: `${own}demo://resource/dynamic/text/1` })
      await call('toggle-subscriber-updates')
      await call('toggle-simulated-logging')
      await until(() => heard.updates > 0)
      await call('toggle-subscriber-updates')
      await until(() => heard.logs > 0)
      await call('toggle-simulated-logging')
    }, limitMs)
  })
}
