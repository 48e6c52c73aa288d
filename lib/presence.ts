import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Clock, GwError } from './base/mod.ts'
import { type Paths, paths, processAlive, readBounded, whoListens, writeAtomic } from './platform/mod.ts'

/** A gateway that serves a home right now. */
export interface Presence {
  /** Where it listens: `http://127.0.0.1:8080`. */
  readonly url: string
  readonly pid: number
  /** Epoch ms. */
  readonly startedAt: number
}

const presence = z.object({ url: z.url(), pid: z.int().positive(), startedAt: z.int() })
const largest = 4 * 1024
/** A gateway of this machine that is well answers far sooner. */
const answerMs = 1_000

const noteIn = (paths: Pick<Paths, 'data'>): string => join(paths.data, 'serving.json')

/**
 * Notes in a home where its gateway listens, so that commands of the same home find it.
 *
 * @returns takes the note back, unless another gateway has written its own since
 */
export async function announce(paths: Pick<Paths, 'data'>, url: string, clock: Clock): Promise<() => Promise<void>> {
  const here: Presence = { url, pid: process.pid, startedAt: clock.now() }
  const text = JSON.stringify(here)
  await writeAtomic(noteIn(paths), text)
  return async () => {
    if (await readBounded(noteIn(paths), largest) === text) await rm(noteIn(paths), { force: true })
  }
}

/** Who has a port, in words that name a gateway by its home: `the gw of /home/me/.local/share/gw (process 7)`. */
export async function holderOf(port: number): Promise<string | null> {
  const holder = await whoListens(port)
  if (holder === null) return null
  const { data } = paths(holder.env)
  const noted = await noteOf({ data })
  return `${noted?.pid === holder.pid ? `the gw of ${data}` : holder.program} (process ${holder.pid})`
}

/** Why nobody could listen there, as an error that names who has the port and says what helps; any other error as it is. */
export async function explainListen(error: unknown, host: string, port: number): Promise<unknown> {
  const text = `${String((error as { code?: string }).code)} ${(error as Error).message}`
  if (/EADDRINUSE|AddrInUse|in use/i.test(text)) {
    const holder = await holderOf(port).catch(() => null)
    return new GwError('server.port_in_use', `port ${port} of ${host} is in use${holder ? ` by ${holder}` : ''}`, {
      hint: `${holder ? 'end it' : 'is gw running already? end what listens there'}, or start with --port ${
        port === 65_535 ? port - 1 : port + 1
      }`,
      cause: error,
    })
  }
  if (/EACCES|EADDRNOTAVAIL|PermissionDenied|AddrNotAvailable/i.test(text)) {
    return new GwError('server.port_in_use', `gw may not listen on port ${port} of ${host}`, {
      hint: 'choose another with --host and --port',
      cause: error,
    })
  }
  return error
}

/** The gateway that serves a home; `null` when there is none, or when the one that was does not answer any more. */
export async function findServing(paths: Pick<Paths, 'data'>): Promise<Presence | null> {
  const noted = await noteOf(paths)
  if (!noted || !processAlive(noted.pid)) return null
  const answer = await fetch(new URL('/healthz', noted.url), { signal: AbortSignal.timeout(answerMs) }).catch(() =>
    null
  )
  await answer?.body?.cancel()
  return answer?.ok ? noted : null
}

async function noteOf(paths: Pick<Paths, 'data'>): Promise<Presence | undefined> {
  const text = await readBounded(noteIn(paths), largest).catch(() => null)
  return text === null ? undefined : presence.safeParse(parse(text)).data
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
