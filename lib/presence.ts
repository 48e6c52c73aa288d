import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from './base/mod.ts'
import { type Paths, processAlive, readBounded, writeAtomic } from './platform/mod.ts'

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

/** The gateway that serves a home; `null` when there is none, or when the one that was does not answer any more. */
export async function findServing(paths: Pick<Paths, 'data'>): Promise<Presence | null> {
  const text = await readBounded(noteIn(paths), largest).catch(() => null)
  const noted = text === null ? null : presence.safeParse(parse(text)).data
  if (!noted || !processAlive(noted.pid)) return null
  const answer = await fetch(new URL('/healthz', noted.url), { signal: AbortSignal.timeout(answerMs) }).catch(() =>
    null
  )
  await answer?.body?.cancel()
  return answer?.ok ? noted : null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
