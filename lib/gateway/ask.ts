import { GwError, type JsonObject, Secret } from '../base/mod.ts'
import { presentedToken, type Principal, requireScope, tokenHeader } from '../access/mod.ts'
import { type Body, formBody, jsonBody, readBytes, streaming } from './body.ts'
import { type Call, wantsStream } from './call.ts'
import { type Envelope, unwrap, type Unwrapped } from './clouds.ts'
import { unwrapGemini } from './gemini.ts'
import type { Limits } from './limits.ts'
import type { Ask, Rooms } from './seams.ts'
import type { SurfaceRow } from './surfaces.ts'

const providerKeyPrefix = 'x-provider-key-'

/**
 * What a caller asks for: its body read, its model found, its own credentials taken aside.
 *
 * @throws GwError `access.scope`, `request.invalid`, `request.too_large`, `request.timeout`, `request.media_type`
 */
export async function readAsk(call: Call, row: SurfaceRow, principal: Principal, rooms: Rooms): Promise<Ask> {
  requireScope(principal, row.scope)
  const providerKeys = readProviderKeys(call.headers, rooms.limits)
  if (providerKeys.size > 0) requireScope(principal, 'provider-key')
  const bytes = await readBytes(call.request, rooms.limits, rooms.ticker)
  const sent = row.body === 'json' ? jsonBody(bytes) : formBody(bytes, call.headers.get('content-type'))
  const inner = row.envelope ? unwrapped(sent, row.envelope) : null
  const body = inner ? jsonBody(inner.bytes) : wantsStream(call) ? streaming(sent) : sent
  return {
    id: call.id,
    principal,
    surface: row.surface,
    capability: row.capability,
    protocol: row.protocol,
    model: body.model,
    stream: body.stream,
    body,
    headers: call.headers,
    providerKeys,
    planToken: readPlanToken(call.headers),
    at: call.at,
    ...(inner ? { wrapped: { bytes, betas: inner.betas } } : {}),
  }
}

/** The body inside its envelope. Where the envelope only adds, the bytes of the rest are kept. */
function unwrapped(sent: Body, envelope: Envelope): Unwrapped {
  const { cloud, model, stream } = envelope
  const added = cloud === 'gemini' ? unwrapGemini(sent, model ?? '', stream) : null
  if (added) return { bytes: added, betas: [] }
  return unwrap(JSON.parse(new TextDecoder().decode(sent.bytes)) as JsonObject, envelope)
}

const none: ReadonlyMap<string, Secret> = new Map()

/**
 * The keys a caller brought for this request, by provider slug in lower case; its header is measured on the way.
 *
 * @throws GwError `request.headers_too_large`, `request.invalid`
 */
export function readProviderKeys(headers: Headers, limits: Limits): ReadonlyMap<string, Secret> {
  let keys: Map<string, Secret> | null = null
  let count = 0
  let size = 0
  headers.forEach((value, name) => {
    count++
    size += name.length + value.length + 4
    if (!name.startsWith(providerKeyPrefix)) return
    const slug = name.slice(providerKeyPrefix.length)
    if (slug === '' || value === '') throw new GwError('request.invalid', `the header ${name} is empty`)
    keys ??= new Map()
    keys.set(slug, new Secret(value))
  })
  if (count > limits.headerCount || size > limits.headerBytes) {
    throw new GwError('request.headers_too_large', `the request has ${count} header fields of ${size} bytes`)
  }
  return keys ?? none
}

/** The caller's own plan token: its `Authorization`, where gw's token came in `x-gw-token`. */
function readPlanToken(headers: Headers): Secret | null {
  if (presentedToken(headers)?.header !== tokenHeader) return null
  const value = headers.get('authorization')
  const token = value !== null && /^bearer /i.test(value) ? value.slice(7).trim() : ''
  return token === '' || token.startsWith('la_sk_') ? null : new Secret(token)
}
