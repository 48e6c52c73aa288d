import type { Gateway } from '../lib/create-gateway.ts'
import type { Peer } from '../lib/gateway/mod.ts'

/** What a group of routes is made of: `export const things = ({ gateway, peerOf }: Door) => new Elysia()…`. */
export interface Door {
  readonly gateway: Gateway
  /** Where a request came from. */
  readonly peerOf: (request: Request) => Peer
}
