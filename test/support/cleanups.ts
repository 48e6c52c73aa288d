import { afterEach } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What a test file puts away after each of its tests, the last first. */
export function cleanUp(): (() => unknown)[] {
  const cleanups: (() => unknown)[] = []
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  })
  return cleanups
}

/** A folder of its own, gone with the test. */
export function tempFolder(cleanups: (() => unknown)[], name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `gw-${name}-`))
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
