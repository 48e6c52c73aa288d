import { GwError } from '../base/mod.ts'
import { requireScope } from '../access/mod.ts'
import type { Call } from './call.ts'
import type { ModelRow, Rooms } from './seams.ts'

/** The models the caller may use, in the shape of the client that asks: OpenAI's list, or Anthropic's. */
export async function listModels(call: Call, rooms: Rooms): Promise<Response> {
  const rows = await modelsFor(call, rooms)
  if (call.headers.get('anthropic-version') === null) {
    return Response.json({ object: 'list', data: rows.map(openaiModel) })
  }
  const data = rows.map(anthropicModel)
  return Response.json({ data, has_more: false, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null })
}

/** One model by its id, which may hold slashes. @throws GwError `model.not_found` */
export async function showModel(call: Call, id: string, rooms: Rooms): Promise<Response> {
  const found = await modelBy(call, id, rooms)
  return Response.json(call.headers.get('anthropic-version') === null ? openaiModel(found) : anthropicModel(found))
}

async function modelBy(call: Call, id: string, rooms: Rooms): Promise<ModelRow> {
  const rows = await modelsFor(call, rooms)
  const found = rows.find((row) => row.id === id) ?? only(rows.filter((row) => row.name === id))
  if (!found) {
    throw new GwError('model.not_found', `no model ${id.slice(0, 200)}`, { hint: 'GET /v1/models lists them' })
  }
  return found
}

/** The models the caller may use, as clients of the generateContent API read them. */
export async function listGeminiModels(call: Call, rooms: Rooms): Promise<Response> {
  const rows = await modelsFor(call, rooms)
  const query = new URLSearchParams(call.search)
  const size = Math.min(Math.max(Number(query.get('pageSize')) || rows.length, 1), 1000)
  const from = Math.max(Number(query.get('pageToken')) || 0, 0)
  const more = from + size < rows.length ? { nextPageToken: String(from + size) } : {}
  return Response.json({ models: rows.slice(from, from + size).map(geminiModel), ...more })
}

/** One model by its id, as clients of the generateContent API read it. @throws GwError `model.not_found` */
export async function showGeminiModel(call: Call, id: string, rooms: Rooms): Promise<Response> {
  return Response.json(geminiModel(await modelBy(call, id, rooms)))
}

/** The providers the caller may reach. */
export async function listProviders(call: Call, rooms: Rooms): Promise<Response> {
  const principal = await rooms.access.authenticate(call.headers, call.peer)
  requireScope(principal, 'read')
  const rows = await rooms.directory.providers(principal)
  return Response.json({
    object: 'list',
    data: rows.map(({ id, name, docs, deployments }) => ({
      id,
      slug: id,
      object: 'provider',
      name,
      docs,
      protocols: [...new Set(deployments.map(({ protocol }) => protocol))],
      capabilities: [...new Set(deployments.flatMap(({ capabilities }) => capabilities))],
    })),
  })
}

async function modelsFor(call: Call, rooms: Rooms): Promise<readonly ModelRow[]> {
  const principal = await rooms.access.authenticate(call.headers, call.peer)
  requireScope(principal, 'read')
  return await rooms.directory.models(principal)
}

const only = <T>(list: readonly T[]): T | undefined => list.length === 1 ? list[0] : undefined

const geminiModel = ({ id, name, provider, contextTokens, maxOutputTokens }: ModelRow) => ({
  name: `models/${id}`,
  baseModelId: name,
  version: '',
  displayName: name,
  description: `served by ${provider}`,
  ...(contextTokens === null ? {} : { inputTokenLimit: contextTokens }),
  ...(maxOutputTokens === null ? {} : { outputTokenLimit: maxOutputTokens }),
  supportedGenerationMethods: ['generateContent', 'streamGenerateContent', 'countTokens'],
})

const openaiModel = ({ id, provider, contextTokens, maxOutputTokens }: ModelRow) => ({
  id,
  object: 'model',
  created: 0,
  owned_by: provider,
  ...(contextTokens === null ? {} : { context_length: contextTokens }),
  ...(maxOutputTokens === null ? {} : { max_output_tokens: maxOutputTokens }),
})

const anthropicModel = ({ id, name }: ModelRow) => ({
  type: 'model',
  id,
  display_name: name,
  created_at: '1970-01-01T00:00:00Z',
})
