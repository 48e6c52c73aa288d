import { newId, type RequestId } from '../base/mod.ts'
import type { ProtocolId } from '../protocol/mod.ts'
import type { Peer, Rooms } from './seams.ts'
import { type Dialect, dialectOf } from './surfaces.ts'

/** One HTTP request, as it stands at the door. */
export interface Call {
  readonly id: RequestId
  readonly request: Request
  readonly method: string
  readonly headers: Headers
  /** Path as routed. */
  readonly path: string
  /** The query with its `?`, or empty. */
  readonly search: string
  readonly peer: Peer
  /** What was called, for the record. */
  readonly surface: string
  readonly protocol: ProtocolId | null
  readonly dialect: Dialect
  /** Epoch milliseconds, and the same moment on the clock that never jumps. */
  readonly at: number
  readonly startedAt: number
}

/** What the ids of an answer to this call are made from: the same in every protocol and at every try. */
export function stemOf({ id }: Pick<Call, 'id'>): string {
  return id.replace(/^[a-z]+_/, '')
}

/** Path and query of a URL, without parsing the rest of it. */
export function pathOf(url: string): { readonly path: string; readonly search: string } {
  const slash = url.indexOf('/', url.indexOf('://') + 3)
  if (slash < 0) return { path: '/', search: '' }
  const mark = url.indexOf('?', slash)
  const hash = url.indexOf('#', slash)
  const end = hash < 0 ? url.length : hash
  return mark < 0 || mark > end
    ? { path: url.slice(slash, end), search: '' }
    : { path: url.slice(slash, mark), search: url.slice(mark, end) }
}

/** A {@link Call} from a request. */
export function openCall(
  request: Request,
  peer: Peer,
  at: { readonly path: string; readonly search: string },
  what: { readonly surface: string; readonly protocol: ProtocolId | null; readonly dialect?: Dialect },
  rooms: Pick<Rooms, 'clock'>,
): Call {
  const now = rooms.clock.now()
  return {
    id: newId<RequestId>('req', now),
    request,
    method: request.method,
    headers: request.headers,
    path: at.path,
    search: at.search,
    peer,
    surface: what.surface,
    protocol: what.protocol,
    dialect: what.dialect ?? dialectOf(at.path),
    at: now,
    startedAt: rooms.clock.monotonic(),
  }
}

const streamInQuery = /[?&]stream=(?:true|1)(?=&|$)/

/** Whether the path of a chat completion asks for a stream, whatever the body says: `?stream=true` or `?stream=1`. */
export function wantsStream({ surface, search }: Pick<Call, 'surface' | 'search'>): boolean {
  return search !== '' && surface === 'chat' && streamInQuery.test(search)
}

/** The query for an upstream of the caller's protocol, without the wish for a stream, which stands in the body then. */
export function upstreamSearch(call: Pick<Call, 'surface' | 'search'>): string {
  if (!wantsStream(call)) return call.search
  const query = new URLSearchParams(call.search)
  query.delete('stream')
  return query.size === 0 ? '' : `?${query}`
}
