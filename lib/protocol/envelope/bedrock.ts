import type { JsonObject } from '../../base/mod.ts'
import { compact } from '../read.ts'
import { modelInPath } from './model-path.ts'

/** What Bedrock calls the version of the messages API that it carries. */
const version = 'bedrock-2023-05-31'

/**
 * A messages body as Bedrock takes it: model and streaming stand in the path, beta flags in the body.
 *
 * @see https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html
 */
export function toBedrock(body: JsonObject, betas: readonly string[] = []): JsonObject {
  const { model: _, stream: __, ...rest } = body
  return compact({ anthropic_version: version, anthropic_beta: betas.length > 0 ? betas : undefined, ...rest })
}

/** A body that a client of Bedrock sent, as a messages body; its beta flags beside it. */
export function fromBedrock(
  body: JsonObject,
  model: string,
  stream: boolean,
): { readonly body: JsonObject; readonly betas: readonly string[] } {
  const { anthropic_version: _, anthropic_beta, ...rest } = body
  const betas = Array.isArray(anthropic_beta) ? anthropic_beta.filter((flag) => typeof flag === 'string') : []
  return { body: { model, ...rest, ...(stream ? { stream: true } : {}) }, betas }
}

/** The path of a model behind Bedrock's base URL. @throws GwError `request.invalid` for a name that is no name of a model */
export function bedrockPath(model: string, stream: boolean): string {
  return `/model/${modelInPath(model).replaceAll('/', '%2F').replaceAll(':', '%3A')}/${
    stream ? 'invoke-with-response-stream' : 'invoke'
  }`
}

/** The model and the way of answering that a path of Bedrock names; `null` for other paths. */
export function readBedrockPath(path: string): { readonly model: string; readonly stream: boolean } | null {
  const match = /^\/model\/([^/]+)\/(invoke|invoke-with-response-stream)$/.exec(path)
  if (match === null) return null
  try {
    return { model: decodeURIComponent(match[1]!), stream: match[2] === 'invoke-with-response-stream' }
  } catch {
    return null
  }
}
