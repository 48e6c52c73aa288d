import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Target } from '../target.ts'

/** What the official Python packages must be able to do through `open()`'s target; skipped where they are not. */
export function pythonScenario(name: string, open: () => Promise<Target>): void {
  const folder = process.env['GW_PYTHON']
  const python = join(folder ?? '', 'bin/python')
  const title = `the Python SDKs through ${name}: every step of the scenario`
  if (folder === undefined || !existsSync(python)) {
    console.log(`skipped: ${title}: GW_PYTHON names no virtual environment (bun test/sdk/python/install.ts FOLDER)`)
    test.skip(title, () => {})
    return
  }
  test(title, async () => {
    await using target = await open()
    const script = new URL('./scenario.py', import.meta.url).pathname
    const child = Bun.spawn([python, script, target.url, target.key, target.prefix], {
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1' },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, complaint] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    expect([await child.exited, complaint]).toEqual([0, ''])
    const steps = out.trim().split('\n').map((line) => JSON.parse(line) as { step: string; error: string | null })
    expect(steps.length).toBe(11)
    expect(steps.filter(({ error }) => error !== null)).toEqual([])
  }, 60_000)
}
