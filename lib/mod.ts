/**
 * gw as a library: a gateway without a server.
 *
 * Owns nothing itself: it is the list of what a program that embeds gw may rely on. Start at {@link createGateway}.
 *
 * @example
 * ```ts
 * import { createGateway } from 'gw'
 *
 * const gateway = await createGateway({ demo: true })
 * const answer = await gateway.fetch(new Request('http://gw/v1/models'))
 * ```
 * @module
 */
export { type ErrorCode, GwError, isGwError, jsonLogger, type Logger, Secret } from './base/mod.ts'
export { createGateway, type Gateway, type GatewayOptions, type GatewayRooms } from './create-gateway.ts'
export type { Peer } from './gateway/mod.ts'
export { version } from './version.ts'
