import { Buffer } from 'node:buffer'
import { GwError, type JsonObject } from '../../base/mod.ts'
import { compact, jsonOf, objectOf, stringOf } from '../read.ts'
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

/**
 * A messages body as Bedrock counts its tokens: that of an answer, which has to say how long that may be.
 *
 * @see https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_CountTokens.html
 */
export function toBedrockCount(body: JsonObject, betas: readonly string[] = []): JsonObject {
  const asked = JSON.stringify(toBedrock({ max_tokens: 1, ...body }, betas))
  return { input: { invokeModel: { body: Buffer.from(asked).toString('base64') } } }
}

/**
 * A request for a count that a client of Bedrock sent, as a messages body.
 *
 * @throws GwError `request.unsupported` for what is no messages body, `request.invalid` for what is no JSON
 */
export function fromBedrockCount(body: JsonObject, model: string): ReturnType<typeof fromBedrock> {
  const input = objectOf(body.input)
  if (input?.converse !== undefined) {
    throw new GwError('request.unsupported', 'input.converse: only tokens of what is sent to invoke are counted', {
      param: 'input.converse',
    })
  }
  const bytes = Buffer.from(stringOf(objectOf(input?.invokeModel)?.body) ?? '', 'base64')
  const inner = objectOf(jsonOf(new TextDecoder().decode(bytes)))
  if (inner === undefined) {
    throw new GwError('request.invalid', 'input.invokeModel.body: expected a JSON object in base64', {
      param: 'input.invokeModel.body',
    })
  }
  return fromBedrock(inner, model, false)
}

/** The path of a model behind Bedrock's base URL. @throws GwError `request.invalid` for a name that is no name of a model */
export function bedrockPath(model: string, stream: boolean): string {
  return pathOf(model, stream ? 'invoke-with-response-stream' : 'invoke')
}

/** Where tokens are counted: by the model itself, which knows nothing of the regions that its name may begin with. */
export function bedrockCountPath(model: string): string {
  return pathOf(model.replace(/^[a-z-]+\.(?=anthropic\.)/, ''), 'count-tokens')
}

function pathOf(model: string, action: string): string {
  return `/model/${modelInPath(model).replaceAll('/', '%2F').replaceAll(':', '%3A')}/${action}`
}

/** What a path of Bedrock asks for. */
export interface BedrockPath {
  readonly model: string
  readonly stream: boolean
  /** Whether tokens are to be counted only. */
  readonly counts: boolean
}

/** What a path of Bedrock asks for; `null` for other paths. */
export function readBedrockPath(path: string): BedrockPath | null {
  const match = /^\/model\/([^/]+)\/(invoke|invoke-with-response-stream|count-tokens)$/.exec(path)
  if (match === null) return null
  const [, model, action] = match
  try {
    return {
      model: decodeURIComponent(model!),
      stream: action === 'invoke-with-response-stream',
      counts: action === 'count-tokens',
    }
  } catch {
    return null
  }
}
