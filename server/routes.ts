import { Elysia } from 'elysia'
import { GwError, isGwError } from '../lib/base/mod.ts'
import { dialectOf, errorResponse, pathOf, shown } from '../lib/gateway/mod.ts'
import type { Door } from './door.ts'
import { nothingAt } from './nothing.ts'
import { withRoutes } from './routes/all.ts'
import { docsRoutes, withPagePolicy } from './routes/docs.ts'

/** Everything but the model endpoints, in the order it is asked. */
export function createRoutes(door: Door) {
  const { gateway } = door
  // Hooks count for the routes that come after them: this one is first.
  const app = new Elysia({ normalize: false })
    .onError(({ error, code, request }) => {
      const { path } = pathOf(request.url)
      if (code === 'NOT_FOUND') return errorResponse(nothingAt(path), dialectOf(path))
      if (code === 'VALIDATION' || code === 'PARSE') {
        return errorResponse(new GwError('request.invalid', 'the request is not what this path takes'), dialectOf(path))
      }
      if (!isGwError(error)) gateway.rooms.logger.log('error', 'server.failed', { path, error })
      return errorResponse(shown(error), dialectOf(path))
    })
  return withRoutes(app, door).use(docsRoutes(door))
}

/** {@link createRoutes} as a web-standard function. */
export function createRoutedFetch(door: Door): (request: Request) => Promise<Response> {
  const app = createRoutes(door)
  return async (request) => {
    const response = await app.fetch(request)
    return pathOf(request.url).path.startsWith('/docs') ? withPagePolicy(response) : response
  }
}
