import { z } from 'zod'
import { GwError, isObject, issueText, type Json, type JsonObject, once } from '../../lib/base/mod.ts'
import { apiOf } from '../../lib/migrate/mod.ts'

/** What stands there for a value that is not shown. */
export const hidden = '[REDACTED]'
/** The protocol that a name of that API means. */
export const protocolOf = new Map(Object.entries(apiOf).map(([protocol, api]) => [api, protocol]))

const secret = () => z.string().min(1).max(65_536)
const headers = () => z.record(z.string().min(1).max(200), z.string().max(8_192))
const baseUrl = () => z.url({ protocol: /^https?$/ }).max(2_048)

/** A provider as the config API of Open LLM Auth takes it, in its two spellings. */
export const providerBody = once(() =>
  z.object({
    base_url: baseUrl().optional(),
    api: z.string().optional(),
    auth: z.string().optional(),
    api_key: secret().nullish(),
    auth_header: z.boolean().default(true),
    headers: headers().default({}),
    models: z.array(z.union([z.string(), z.looseObject({ id: z.string().min(1) })])).optional(),
  }).strict()
)

/** A profile of it. */
export const profileBody = once(() =>
  z.object({
    id: z.string().optional(),
    provider: z.string().min(1).max(64),
    type: z.enum(['api_key', 'token', 'oauth', 'cli']).default('api_key'),
    key: secret().nullish(),
    token: secret().nullish(),
    access: z.unknown().optional(),
    refresh: z.unknown().optional(),
    expires: z.unknown().optional(),
    email: z.string().max(200).nullish(),
    accountId: z.string().min(1).nullish(),
    gatewayId: z.unknown().optional(),
    baseUrl: baseUrl().nullish(),
    metadata: z.looseObject({}).nullish(),
  }).strict()
)

/** What a schema makes of a body. @throws GwError `request.invalid` naming the field */
export function read<T extends z.ZodType>(schema: T, body: unknown): z.output<T> {
  const result = schema.safeParse(body)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const at = issue!.code === 'unrecognized_keys' ? issue!.keys[0]! : issue!.path.join('.')
  const reason = issue!.code === 'unrecognized_keys' ? 'unknown field' : issueText(issue!.message)
  throw new GwError('request.invalid', at === '' ? reason : `${at}: ${reason}`, { ...(at === '' ? {} : { param: at }) })
}

/** A body as an object. @throws GwError `request.invalid` */
export const fieldsOf = (body: Json): JsonObject => {
  if (isObject(body)) return body as JsonObject
  throw new GwError('request.invalid', 'the body must be a JSON object')
}

/** A name from a path or a body. Ids may hold `:` and `/`; nothing here becomes a path without its own check. */
export function nameIn(value: unknown): string {
  const text = typeof value === 'string' ? decoded(value) : ''
  if (text === '' || text.length > 200 || /\p{Cc}/u.test(text)) {
    throw new GwError('request.invalid', 'name: expected a name of at most 200 characters', { param: 'name' })
  }
  return text
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new GwError('request.invalid', 'the path is not properly encoded')
  }
}

/** JSON in a text. @throws GwError `request.invalid` */
export function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    throw new GwError('request.invalid', 'content: is no JSON', { param: 'content' })
  }
}

/** Whether two values of that API are the same text. */
export const same = (a: Json | undefined, b: Json | undefined): boolean => JSON.stringify(a) === JSON.stringify(b)

/** An object without its absent members. */
export function pruned(value: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(
    Object.entries(value).filter(([, item]) => item !== undefined && item !== null),
  ) as JsonObject
}

/** A table and its mirror, which wins; `null` when neither is given. */
export function tableOf(top: unknown, mirror: unknown): Record<string, JsonObject> | null {
  if (!isObject(top) && !isObject(mirror)) return null
  const all = { ...(isObject(top) ? top : {}), ...(isObject(mirror) ? mirror : {}) }
  for (const [id, value] of Object.entries(all)) {
    if (!isObject(value)) throw new GwError('request.invalid', `${id}: expected an object`, { param: id })
  }
  return all as Record<string, JsonObject>
}
