import type { JsonObject } from '../../base/mod.ts'
import { modelInPath } from './model-path.ts'

/** What Vertex calls the version of the messages API that it carries. */
const version = 'vertex-2023-10-16'

/**
 * A messages body as Vertex takes it: the model stands in the path.
 *
 * @see https://docs.anthropic.com/en/api/claude-on-vertex-ai
 */
export function toVertex(body: JsonObject): JsonObject {
  const { model: _, ...rest } = body
  return { anthropic_version: version, ...rest }
}

/** A body that a client of Vertex sent, as a messages body. */
export function fromVertex(body: JsonObject, model: string, stream: boolean): JsonObject {
  const { anthropic_version: _, ...rest } = body
  return { model, ...rest, ...(stream ? { stream: true } : {}) }
}

/** What stands between Vertex's host and the name of a model. `${…}` is taken from the environment. */
export const vertexPrefix =
  '/v1/projects/${GOOGLE_CLOUD_PROJECT}/locations/${GOOGLE_CLOUD_LOCATION:-us-east5}/publishers/anthropic/models'

/** The last step of a model's path. @throws GwError `request.invalid` for a name that is no name of a model */
export function vertexPath(model: string, stream: boolean): string {
  return `/${modelInPath(model)}:${stream ? 'streamRawPredict' : 'rawPredict'}`
}

/** Where tokens are counted: the model stands in the body. */
export const vertexCountPath = '/count-tokens:rawPredict'

/** The model and the way of answering that a path of Vertex names; `null` for other paths. */
export function readVertexPath(path: string): { readonly model: string; readonly stream: boolean } | null {
  const match = /\/publishers\/anthropic\/models\/(.+):(rawPredict|streamRawPredict)$/.exec(path)
  if (match === null) return null
  try {
    // Names of models at gw hold slashes and colons; some clients write them as they are.
    return { model: decodeURIComponent(match[1]!), stream: match[2] === 'streamRawPredict' }
  } catch {
    return null
  }
}
