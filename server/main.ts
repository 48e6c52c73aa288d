import { type OpenDownstream, openDownstream } from '../lib/base/mod.ts'
import type { Gateway } from '../lib/create-gateway.ts'
import type { Peer } from '../lib/gateway/mod.ts'
import type { ServedPeer } from '../lib/platform/mod.ts'
import { explainListen } from '../lib/presence.ts'
import { createApp } from './app.ts'
import type { McpHandler } from './door.ts'

/** Where to listen. Absent members come from the config. */
export interface ListenOptions {
  readonly host?: string
  /** 0 picks a free port. */
  readonly port?: number
  /** Serves `/mcp`. */
  readonly mcp?: McpHandler | null
}

/** A gateway that listens. */
export interface RunningServer {
  readonly url: string
  readonly host: string
  readonly port: number
  /**
   * Not ready at once; still answers for `graceMs`, so that whoever routes to it can look away; then answers 503
   * to whatever is new, lets streams finish for `drainMs`, and ends what is left.
   */
  stop(options?: { readonly graceMs?: number; readonly drainMs?: number }): Promise<void>
}

/** How long what was ended may take to say so to its callers before their connections are cut. */
const lastWordMs = 500

/**
 * Serves a gateway.
 *
 * @throws GwError `server.port_in_use`
 */
export async function startServer(gateway: Gateway, options: ListenOptions = {}): Promise<RunningServer> {
  const { platform, clock, config } = gateway.rooms
  const { server: wanted } = config.current().config
  const host = options.host ?? wanted.host
  const onLoopback = isLoopback(host)
  const app = createApp(gateway, { mcp: options.mcp ?? null })
  const server = await Promise.resolve().then(() =>
    platform.serve({
      host,
      port: options.port ?? wanted.port,
      // The runtime would cut the connection without a word: gw counts for itself, and says why it refuses.
      maxBodyBytes: 1024 * 1024 * 1024 * 1024,
      fetch: (request, peer) => app.answer(request, new CallingPeer(peer, onLoopback)),
    })
  ).catch(async (error) => {
    throw await explainListen(error, host, options.port ?? wanted.port)
  })
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${server.port}`
  gateway.listening(url)
  const stopped = new AbortController()
  clock.sleep(warmAfterMs, stopped.signal).then(app.warm).catch((error: unknown) => {
    if (!stopped.signal.aborted) gateway.rooms.logger.log('error', 'server.failed', { error })
  })
  let stopping: Promise<void> | null = null

  async function stop(graceMs: number, drainMs: number): Promise<void> {
    gateway.drain()
    stopped.abort()
    if (graceMs > 0) await clock.sleep(graceMs)
    // Whoever asks is told that it is over, rather than finding nobody, for as long as anything still runs.
    const { door } = gateway.rooms
    door.drain()
    const until = clock.monotonic() + drainMs
    while (door.open > 0 && clock.monotonic() < until) await clock.sleep(20)
    door.end()
    const closed = server.stop(false)
    const late = new AbortController()
    const left = Math.max(lastWordMs, until - clock.monotonic())
    await Promise.race([closed, clock.sleep(left, late.signal).catch(() => {})])
    late.abort()
    await server.stop(true)
    gateway.listening(null)
    await gateway.close()
  }

  return {
    url,
    host,
    port: server.port,
    stop: ({ graceMs = 0, drainMs = wanted.drain_secs * 1000 } = {}) => stopping ??= stop(graceMs, drainMs),
  }
}

/** Who calls, looked up only when somebody asks. */
class CallingPeer implements Peer {
  readonly #served: ServedPeer
  readonly #onLoopback: boolean

  constructor(served: ServedPeer, onLoopback: boolean) {
    this.#served = served
    this.#onLoopback = onLoopback
  }

  get address(): string {
    return this.#served.address
  }

  get loopback(): boolean {
    return this.#onLoopback && isLoopback(this.#served.address)
  }

  get openDownstream(): OpenDownstream {
    return this.#served.openDownstream ?? openDownstream
  }
}

function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^(::ffff:)?127\./.test(address)
}

/** When the routes that nobody has asked for yet are got ready, after listening: not in the way of the first answer. */
const warmAfterMs = 250

/** Signals that come this close together are one. */
const sameStrokeMs = 1_000

/**
 * Serves until SIGTERM or SIGINT, then drains. A second signal ends it at once.
 *
 * @param graceMs how long requests are still answered after the signal
 * @param told aborted when such a signal came before this was called
 */
export async function serveUntilSignal(
  gateway: Gateway,
  running: RunningServer,
  graceMs = 0,
  told?: AbortSignal,
): Promise<void> {
  const { logger, clock } = gateway.rooms
  // A promise nobody caught must not take ten thousand streams down with it.
  process.on('unhandledRejection', (error) => logger.log('error', 'process.unhandled_rejection', { error }))
  const signal = await new Promise<string>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve(name))
    if (told?.aborted) resolve('before')
  })
  // Ctrl-C reaches the whole group, and package runners pass it on once more: the same stroke is no second one.
  const since = clock.monotonic()
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.on(name, () => clock.monotonic() - since > sameStrokeMs && process.exit(1))
  }
  logger.log('info', 'server.stopping', { signal })
  await running.stop({ graceMs })
}
