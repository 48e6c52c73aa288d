import type { JsonObject } from '../../base/mod.ts'
import { modelInPath } from './model-path.ts'

/** What can be asked of a model by its path. */
export type GeminiMethod = 'generateContent' | 'streamGenerateContent' | 'countTokens'

const pathOf =
  /^\/v1(?:beta1?|alpha)?\/(?:projects\/[^/]+\/locations\/[^/]+\/)?(?:publishers\/[^/]+\/)?models\/(.+):(generateContent|streamGenerateContent|countTokens)$/

/** The model and the method that a path names, on the vendor's own API or on Vertex; `null` for other paths. */
export function readGeminiPath(path: string): { readonly model: string; readonly method: GeminiMethod } | null {
  const match = pathOf.exec(path)
  if (match === null) return null
  try {
    return { model: decodeURIComponent(match[1]!), method: match[2] as GeminiMethod }
  } catch {
    return null
  }
}

/**
 * The path of a method behind an API's base URL. A stream comes as events: the other form is a list that no event ends.
 *
 * @throws GwError `request.invalid` for a name that is no name of a model
 * @param version `/v1beta`, or empty where the base URL names the version
 */
export function geminiPath(version: string, model: string, method: GeminiMethod): string {
  return `${version}/models/${modelInPath(model)}:${method}${method === 'streamGenerateContent' ? '?alt=sse' : ''}`
}

/** What stands between Vertex's host and `/models`. `${…}` is taken from the environment. */
export const vertexGeminiPrefix =
  '/v1/projects/${GOOGLE_CLOUD_PROJECT}/locations/${GOOGLE_CLOUD_LOCATION:-us-central1}/publishers/google'

/** A body as it goes on the wire: its model and its streaming stand in the path. */
export function toGemini(body: JsonObject): JsonObject {
  const { model: _, stream: __, ...rest } = body
  return rest
}

/** A body from the wire with its model and its streaming in it. A request to count may hold the request it is about. */
export function fromGemini(body: JsonObject, model: string, stream: boolean): JsonObject {
  const { model: _, stream: __, ...rest } = body
  const inner = rest.generateContentRequest ?? rest.generate_content_request
  const counted = typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? inner as JsonObject : rest
  return { ...counted, model, ...(stream ? { stream: true } : {}) }
}
