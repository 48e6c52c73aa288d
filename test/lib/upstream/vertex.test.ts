import { expect, test } from 'bun:test'
import { type AccountId, Secret, systemClock } from '../../../lib/base/mod.ts'
import { formatTarget } from '../../../lib/accounts/mod.ts'
import { providers } from '../../../lib/catalog/providers.ts'
import {
  geminiPath,
  type ProtocolId,
  vertexCountPath,
  vertexGeminiPrefix,
  vertexPath,
  vertexPrefix,
} from '../../../lib/protocol/mod.ts'
import { createUpstream, type Surface, type UpstreamPath } from '../../../lib/upstream/mod.ts'

const row = providers.find(({ id }) => id === 'google-vertex')!

/** Where a call of Vertex goes in a location, with the header field that proves us. */
async function dialled(
  location: string | null,
  protocol: ProtocolId,
  surface: Surface | UpstreamPath,
): Promise<string> {
  const opened: string[] = []
  const upstream = createUpstream({
    egress: {
      open({ url, headers }) {
        opened.push(`${new URL(url).href} ${headers.find(([name]) => name === 'authorization')?.[1]}`)
        return { reply: Promise.reject(new Error('far enough')), cancel() {} } as never
      },
    },
    provider: () => row,
    environment: {
      GOOGLE_CLOUD_PROJECT: 'a-project',
      ...(location === null ? {} : { GOOGLE_CLOUD_LOCATION: location }),
    },
    clock: systemClock,
  })
  const reply = await upstream.send({
    target: {
      key: formatTarget(row.id, 'a', 'chat'),
      provider: row.id,
      account: 'a' as AccountId,
      capability: 'chat',
      deployment: row.deployments.find((deployment) => deployment.protocol === protocol)!,
      model: 'm',
    },
    credential: {
      kind: 'auth-token',
      secret: new Secret('ya29.token'),
      accountId: null,
      expiresAt: null,
      audience: [],
      identity: null,
    },
    surface,
    method: 'POST',
    search: '',
    headers: [],
    body: null,
  }).reply.catch((error: Error) => error)
  return opened[0] ?? (reply instanceof Error || reply.ok ? 'nowhere' : reply.failure.message)
}

const hosts = [
  ['europe-west1', 'europe-west1-aiplatform.googleapis.com'],
  ['global', 'aiplatform.googleapis.com'],
  ['us', 'aiplatform.us.rep.googleapis.com'],
  ['eu', 'aiplatform.eu.rep.googleapis.com'],
] as const

for (const [location, host] of hosts) {
  test(`Vertex in ${location} is asked at ${host}, for Claude and for Gemini`, async () => {
    const project = `https://${host}/v1/projects/a-project/locations/${location}`
    const claude = (path: string): UpstreamPath => ({ path, prefix: vertexPrefix })
    const bearer = 'Bearer ya29.token'
    const ask = (protocol: ProtocolId, surface: Surface | UpstreamPath) => dialled(location, protocol, surface)
    expect(await ask('anthropic-messages', claude(vertexPath('claude-sonnet-4-5@20250929', true))))
      .toBe(`${project}/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict ${bearer}`)
    expect(await ask('anthropic-messages', claude(vertexCountPath)))
      .toBe(`${project}/publishers/anthropic/models/count-tokens:rawPredict ${bearer}`)
    expect(
      await ask('gemini', {
        path: geminiPath('', 'gemini-2.5-pro', 'streamGenerateContent'),
        prefix: vertexGeminiPrefix,
      }),
    )
      .toBe(`${project}/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse ${bearer}`)
    expect(await ask('openai-chat', 'chat')).toBe(`${project}/endpoints/openapi/chat/completions ${bearer}`)
  })
}

test('without a location each family has its own', async () => {
  const claude = { path: vertexPath('claude-sonnet-4-5', false), prefix: vertexPrefix }
  expect(await dialled(null, 'anthropic-messages', claude)).toContain('https://us-east5-aiplatform.googleapis.com/')
  const gemini = { path: geminiPath('', 'gemini-2.5-pro', 'generateContent'), prefix: vertexGeminiPrefix }
  expect(await dialled(null, 'gemini', gemini)).toContain('https://us-central1-aiplatform.googleapis.com/')
})
