import { Elysia } from 'elysia'
import { GwError, toGwError } from '../../lib/base/mod.ts'
import { toTrpc } from '../../lib/operations/mod.ts'
import { contextFor, principalOf } from '../call.ts'
import type { Door } from '../door.ts'

/** Calls in one batch. */
const largestBatch = 50

/** The typed surface: `/trpc/<area>.<name>`, batches and streams included. */
export function trpcRoutes(door: Door) {
  const handle = async ({ request }: { request: Request }): Promise<Response> => {
    const { pathname } = new URL(request.url)
    if (pathname.split(',').length > largestBatch) {
      throw new GwError('request.invalid', `a batch has at most ${largestBatch} calls`)
    }
    const type = request.headers.get('content-type')?.split(';', 1)[0]?.trim().toLowerCase()
    if (request.method === 'POST' && type !== 'application/json') {
      throw new GwError('request.media_type', 'the body must be JSON', { hint: 'content-type: application/json' })
    }
    // Loaded by the first call: building every schema takes longer than starting does.
    const [{ fetchRequestHandler }, { operations }] = await Promise.all([
      import('@trpc/server/adapters/fetch'),
      import('../../lib/operations/router.ts'),
    ])
    const ended = new AbortController()
    let forget = () => {}
    const answer = await fetchRequestHandler({
      endpoint: '/trpc',
      req: new Request(request, { signal: AbortSignal.any([request.signal, ended.signal]) }),
      router: operations,
      maxBatchSize: largestBatch,
      async createContext() {
        try {
          const principal = await principalOf(door, request)
          // A stream must not outlive the token that opened it.
          forget = door.gateway.rooms.access.onEnd(principal, () => ended.abort())
          return contextFor(door, { principal, surface: 'trpc', signal: request.signal })
        } catch (error) {
          throw toTrpc(toGwError(error))
        }
      },
    })
    return whenDone(answer, forget)
  }
  const hook = { parse: 'none' as const, detail: { hide: true } }
  return new Elysia({ name: 'trpc' }).get('/trpc/*', handle, hook).post('/trpc/*', handle, hook)
}

/** Calls back once the whole answer has been sent or its reader has left. */
function whenDone(answer: Response, done: () => void): Response {
  if (!answer.body) {
    done()
    return answer
  }
  const reader = answer.body.getReader()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done: ended, value } = await reader.read()
        if (!ended) return controller.enqueue(value)
        done()
        controller.close()
      } catch (error) {
        done()
        controller.error(error)
      }
    },
    async cancel(reason) {
      done()
      await reader.cancel(reason)
    },
  })
  return new Response(body, { status: answer.status, headers: answer.headers })
}
