import type { AnyElysia } from 'elysia'
import type { Documented, Door } from '../door.ts'
import { approvalRoutes } from './approvals.ts'
import { configRoutes } from './config.ts'
import { health } from './health.ts'
import { legacyRoutes } from './legacy.ts'
import { mcpProxy } from './mcp-proxy.ts'
import { mcpRoutes } from './mcp.ts'
import { operationRoutes } from './operations.ts'
import { trpcRoutes } from './trpc.ts'
import { usageRoutes } from './usage.ts'

/** Gives an app every route but the model endpoints and the documentation, in the order they are asked. */
export const withRoutes = (app: AnyElysia, door: Door, documented?: Documented): AnyElysia =>
  app
    .use(health(door))
    .use(operationRoutes(door, documented))
    .use(legacyRoutes(door))
    .use(configRoutes(door))
    .use(usageRoutes(door))
    .use(trpcRoutes(door))
    .use(mcpRoutes(door))
    .use(mcpProxy(door))
    .use(approvalRoutes(door))
