import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../../lib/base/mod.ts'
import { type ManualClock, manualClock } from '../../support/manual-clock.ts'
import { type Board, createBoard } from '../../../lib/liveness/mod.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'
import type { RunProgram } from '../../../lib/repair/context.ts'
import type { Inventory } from '../../../lib/repair/inventory/inventory.ts'
import { createRepair, type Repair } from '../../../lib/repair/repair.ts'
import { openStorage, type Storage } from '../../../lib/storage/mod.ts'
import { clock0 } from './toy.ts'

/** A home of its own, with the engine over it. */
export interface World {
  readonly home: string
  readonly clock: ManualClock
  readonly storage: Storage
  readonly board: Board
  readonly repair: Repair
  /** Programs that were run. */
  readonly ran: string[][]
  /** Requests that were sent. */
  readonly sent: { url: string; init: RequestInit }[]
  /** A second process over the same home. */
  sibling(): Promise<World>
  close(): Promise<void>
}

/** What differs in a world. */
export interface WorldOptions {
  readonly inventory: () => Inventory
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly runProgram?: RunProgram
  /** Answers of the far side; absent, any request is a fault of the test. */
  readonly answer?: (url: string, init: RequestInit) => Response | Promise<Response>
}

/** Opens a world in a new temporary directory. */
export async function openWorld(options: WorldOptions): Promise<World> {
  const home = await mkdtemp(join(tmpdir(), 'gw-repair-'))
  return await openAt(home, manualClock(clock0), options, () => rm(home, { recursive: true, force: true }))
}

async function openAt(
  home: string,
  clock: ManualClock,
  options: WorldOptions,
  remove: () => Promise<void>,
): Promise<World> {
  const storage = await openStorage({ platform: await detectPlatform(), clock, path: join(home, 'gw.sqlite') })
  const board = await createBoard({ storage, clock, random: () => 0, logger: silentLogger })
  const ran: string[][] = []
  const sent: { url: string; init: RequestInit }[] = []
  const { runCommand } = await import('../../../lib/platform/mod.ts')
  const repair = createRepair({
    storage,
    clock,
    logger: silentLogger,
    board,
    env: { PATH: process.env.PATH, HOME: home, ...options.env },
    version: '0.0.0-test',
    news: () => null,
    inventory: options.inventory,
    fetch: async (input, init = {}) => {
      sent.push({ url: String(input), init })
      if (!options.answer) throw new Error(`nothing may be asked: ${input}`)
      return await options.answer(String(input), init)
    },
    runProgram: (argv, run) => {
      ran.push([...argv])
      return (options.runProgram ?? runCommand)(argv, run)
    },
  })
  return {
    home,
    clock,
    storage,
    board,
    repair,
    ran,
    sent,
    sibling: () => openAt(home, clock, options, () => Promise.resolve()),
    async close() {
      board.close()
      await storage.close()
      await remove()
    },
  }
}
