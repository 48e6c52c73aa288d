/**
 * Client: gw from a program.
 *
 * Owns the typed client over tRPC: every operation with its types, and live streams that go on after a break where they
 * were. The types come from the operations; none of their code does. Start at {@link createAdminClient}.
 * @module
 */
import {
  createTRPCClient,
  httpBatchStreamLink,
  httpSubscriptionLink,
  splitLink,
  type TRPCClient,
  TRPCClientError,
} from '@trpc/client'
import { EventSource } from 'eventsource'
import type { Operations } from '../lib/operations/mod.ts'

/** Where the gateway is and who calls it. */
export interface AdminClientOptions {
  /** Such as `http://127.0.0.1:8080`. */
  readonly url: string
  /** A client token of gw. */
  readonly token: string
}

/** Every operation of gw, by area and name: `client.tokens.issue.mutate({ label: 'laptop' })`. */
export type AdminClient = TRPCClient<Operations>

/** Most calls in one round trip. */
const batchSize = 50

/**
 * A typed client of a running gateway. Works on Bun, Deno and Node.
 *
 * @example
 * ```ts
 * const gw = createAdminClient({ url: 'http://127.0.0.1:8080', token: process.env.GW_TOKEN! })
 * const { data } = await gw.accounts.list.query()
 * const { token } = await gw.tokens.issue.mutate({ label: 'laptop', ttl_hours: 720 })
 * ```
 */
export function createAdminClient({ url, token }: AdminClientOptions): AdminClient {
  const at = `${url.replace(/\/+$/, '')}/trpc`
  const headers = { authorization: `Bearer ${token}` }
  return createTRPCClient<Operations>({
    links: [
      splitLink({
        condition: (operation) => operation.type === 'subscription',
        // Not every runtime has an EventSource, and none lets one send a header.
        true: httpSubscriptionLink({
          url: at,
          EventSource,
          eventSourceOptions: {
            fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...headers } }),
          },
        }),
        false: httpBatchStreamLink({ url: at, headers, maxItems: batchSize }),
      }),
    ],
  })
}

/** What gw says about a failed call, besides its message. */
export interface OperationFailure {
  /** Dotted code, such as `account.not_found`. */
  readonly code: string
  /** What to do about it. */
  readonly hint?: string
  /** The field at fault. */
  readonly param?: string
  readonly retryAfterMs?: number
  readonly details?: Readonly<Record<string, unknown>>
}

/** What gw said about a call that failed, or `null` when the error is not one of gw's. */
export function failureOf(error: unknown): OperationFailure | null {
  if (!(error instanceof TRPCClientError)) return null
  const data = error.data as { gw?: OperationFailure } | null | undefined
  return data?.gw ?? null
}
