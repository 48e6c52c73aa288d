import { GwError } from '../base/mod.ts'
import { Beginnings } from './begin.ts'
import { openCall, pathOf } from './call.ts'
import { cloudRow, wrap } from './clouds.ts'
import { errorResponse, shown } from './errors.ts'
import { isGeminiClient, withoutQueryKey } from './gemini.ts'
import { listGeminiModels, listModels, listProviders, showGeminiModel, showModel } from './listing.ts'
import { proxy } from './proxy.ts'
import type { Peer, Rooms } from './seams.ts'
import { serve } from './serve.ts'
import { dialectOf, plainPath, surfaces } from './surfaces.ts'
import { storedTurn } from './turns.ts'
import { UnderWay } from './under-way.ts'

/** The model endpoints as one function. */
export interface Door {
  /** Answers a request to a model endpoint; `null` when the path is none of them. Never rejects. */
  fetch(request: Request, peer: Peer): Promise<Response> | null
  /** Requests under way, each until its last byte. */
  readonly open: number
  /** From now on every request is told to go elsewhere; what runs goes on. */
  drain(): void
  /** Ends what runs: each caller is told that gw shuts down, in its protocol's own words. */
  end(): void
}

/** A {@link Door} to the line. */
export function createDoor(rooms: Rooms): Door {
  let open = 0
  let draining = false
  const underWay = new UnderWay()
  const beginnings = new Beginnings()

  // A request that is served has ended when its record is written, which happens exactly once: its stream counts too.
  const counted: Rooms = {
    ...rooms,
    get limits() {
      return rooms.limits
    },
    recorder: {
      ...rooms.recorder,
      record(record) {
        open--
        rooms.recorder.record(record)
      },
    },
  }

  /** What a newcomer is told that there is no room for; `null` when there is. */
  function turnedAway(path: string): Response | null {
    if (draining) {
      return errorResponse(shuttingDown(), dialectOf(path), [['connection', 'close']])
    }
    if (open < rooms.limits.concurrent) return null
    const error = new GwError('server.overloaded', `gw serves ${open} requests already`, { retryAfterMs: 1000 })
    return errorResponse(error, dialectOf(path))
  }

  /** Runs one request among the others: counted, and never rejecting. */
  async function among(path: string, work: () => Promise<Response>): Promise<Response> {
    const away = turnedAway(path)
    if (away) return away
    open++
    try {
      return await guarded(path, work)
    } finally {
      open--
    }
  }

  /** Runs `work`, never rejecting. */
  async function guarded(path: string, work: () => Promise<Response>): Promise<Response> {
    try {
      return await work()
    } catch (caught) {
      const error = shown(caught)
      if (error.code === 'internal') rooms.log.log('error', 'gateway.failed', { path, error: caught })
      return errorResponse(error, dialectOf(path))
    }
  }

  return {
    fetch(request, peer) {
      const at = pathOf(request.url)
      const path = plainPath(at.path)
      const row = Object.hasOwn(surfaces, path) ? surfaces[path] : undefined
      const asked = row ?? cloudRow(path)
      if (asked) {
        if (!rooms.serves(asked.family)) {
          return among(at.path, () => {
            throw new GwError('request.not_found', `gw does not serve ${asked.family} paths here`, {
              hint:
                'server.api_format, server.openai_api, server.anthropic_api and server.gemini_api say which are open',
            })
          })
        }
        if (request.method === 'POST') {
          const away = turnedAway(at.path)
          if (away) return Promise.resolve(away)
          // Counted until its record is written.
          open++
          const { envelope } = asked
          const opened = openCall(request, peer, at, asked, rooms)
          const call = asked.protocol === 'gemini' ? withoutQueryKey(opened) : opened
          const turn = beginnings.next()
          const answer = turn === null
            ? serve(call, asked, counted, underWay)
            : turn.then(() => serve(call, asked, counted, underWay))
          return envelope ? guarded(at.path, async () => wrap(await answer, envelope, at.search)) : answer
        }
        return among(at.path, () => {
          throw request.headers.get('upgrade')?.toLowerCase() === 'websocket'
            ? new GwError('request.upgrade_required', 'this path is served over plain HTTP', { hint: 'POST to it' })
            : new GwError('request.method_not_allowed', `${path} takes POST`)
        })
      }
      const read = (surface: string) => openCall(request, peer, at, { surface, protocol: null }, rooms)
      const listed = /^\/v1(?:beta1?|alpha)?\/models(?:\/(.+))?$/.exec(path)
      // Three vendors list their models at /v1/models: their clients are told apart by where they put their key.
      if (listed && rooms.serves('gemini') && (!path.startsWith('/v1/') || isGeminiClient(request, at.search))) {
        const what = { surface: 'models', protocol: null, dialect: 'google' } as const
        const call = () => onlyGet(withoutQueryKey(openCall(request, peer, at, what, rooms)))
        const id = listed[1]
        return among(
          at.path,
          () => id === undefined ? listGeminiModels(call(), rooms) : showGeminiModel(call(), decode(id), rooms),
        )
      }
      if (path === '/v1/models') return among(at.path, () => listModels(onlyGet(read('models')), rooms))
      if (path === '/v1/providers') return among(at.path, () => listProviders(onlyGet(read('providers')), rooms))
      if (path.startsWith('/v1/models/')) {
        return among(at.path, () => showModel(onlyGet(read('models')), decode(path.slice('/v1/models/'.length)), rooms))
      }
      const turn = /^\/v1\/responses\/([^/]+)$/.exec(path)
      if (turn) return among(at.path, () => storedTurn(read('responses'), decode(turn[1]!), rooms))
      const raw = /^\/v1\/proxy\/([^/]+)(\/.*)?$/.exec(path) ?? /^\/api\/latest\/([^/]+)(\/.*)?$/.exec(at.path)
      if (raw) return among(at.path, () => proxy(read('proxy'), decode(raw[1]!), raw[2] ?? '', rooms, underWay))
      return null
    },
    get open() {
      return open
    },
    drain: () => void (draining = true),
    end() {
      draining = true
      underWay.end(shuttingDown())
    },
  }
}

const shuttingDown = (): GwError => new GwError('server.draining', 'gw is shutting down', { retryAfterMs: 1000 })

function onlyGet<T extends { readonly method: string; readonly path: string }>(call: T): T {
  if (call.method === 'GET' || call.method === 'HEAD') return call
  throw new GwError('request.method_not_allowed', `${call.path} takes GET`)
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    throw new GwError('request.invalid', 'the path holds a bad escape')
  }
}
