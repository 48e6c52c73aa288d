import type { Scope } from '../access/mod.ts'
import type { Capability } from '../catalog/mod.ts'
import { type ProtocolId, transcriptionWire, type Wire, wires } from '../protocol/mod.ts'
import type { Surface } from '../upstream/mod.ts'
import { cloudRow, type Envelope } from './clouds.ts'

/** Whose error shape an answer takes. */
export type Dialect = 'openai' | 'anthropic' | 'google' | 'detail' | 'problem'

/** A group of paths that an owner may close. */
export type Family = 'openai' | 'messages' | 'bedrock' | 'vertex' | 'gemini'

/** One thing that can be asked for by POST: what it is, in which protocol, and what its caller must be allowed to do. */
export interface SurfaceRow {
  readonly surface: Exclude<Surface, 'models'>
  readonly protocol: ProtocolId
  readonly capability: Capability
  readonly dialect: Dialect
  readonly scope: Scope
  /** How its body is written. */
  readonly body: 'json' | 'multipart'
  /** Whether an answer of the upstream is JSON when it is no stream; a transcription may be plain text. */
  readonly json: boolean
  readonly family: Family
  /** The cloud's wrapping that its body comes in; absent where it comes as itself. */
  readonly envelope?: Envelope
}

const row = (
  surface: SurfaceRow['surface'],
  protocol: ProtocolId,
  capability: Capability,
  dialect: Dialect,
): SurfaceRow => ({
  surface,
  protocol,
  capability,
  dialect,
  scope: 'write',
  body: 'json',
  json: true,
  family: dialect === 'anthropic' ? 'messages' : 'openai',
})

/** The model endpoints, by path. */
export const surfaces: Readonly<Record<string, SurfaceRow>> = {
  '/v1/chat/completions': row('chat', 'openai-chat', 'chat', 'openai'),
  '/v1/responses': row('responses', 'openai-responses', 'chat', 'openai'),
  '/v1/embeddings': row('embeddings', 'openai-chat', 'embeddings', 'openai'),
  '/v1/audio/transcriptions': {
    ...row('transcription', 'openai-chat', 'transcription', 'openai'),
    body: 'multipart',
    json: false,
  },
  '/v1/messages': row('messages', 'anthropic-messages', 'chat', 'anthropic'),
  '/v1/messages/count_tokens': row('count_tokens', 'anthropic-messages', 'chat', 'anthropic'),
}

/** The byte-level half of what is spoken on a surface, or `null` where there is none. */
export function wireOf(row: SurfaceRow): Wire | null {
  return row.surface === 'transcription' ? transcriptionWire : wires[row.protocol] ?? null
}

/** Prefixes under which the same endpoints stand a second time, and what is left of a path without them. */
const prefixes = ['/api/latest/anthropic', '/api']

/** The path as {@link surfaces} knows it: `/api/v1/…` and `/api/latest/anthropic/v1/…` are `/v1/…`. */
export function plainPath(path: string): string {
  if (path.startsWith('/v1/')) return path
  for (const prefix of prefixes) {
    if (path.startsWith(`${prefix}/v1/`)) return path.slice(prefix.length)
  }
  // The versions of the generateContent API.
  return /^\/api\/v1(?:beta1?|alpha)\//.test(path) ? path.slice('/api'.length) : path
}

/** The error shape for a path, also for one that does not exist. */
export function dialectOf(path: string): Dialect {
  const plain = plainPath(path)
  if (path.startsWith('/api/latest/anthropic') || plain.startsWith('/v1/messages')) return 'anthropic'
  const cloud = cloudRow(plain)
  if (cloud) return cloud.dialect
  if (/^\/v1(?:beta1?|alpha)\//.test(plain)) return 'google'
  if (path === '/config' || path.startsWith('/config/')) return 'detail'
  return plain.startsWith('/v1/') ? 'openai' : 'problem'
}
