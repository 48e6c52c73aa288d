import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Target } from '../target.ts'

/** What the official Python packages must be able to do through `open()`'s target; skipped where they are not. */
export function pythonScenario(name: string, open: () => Promise<Target>): void {
  withPython(`the Python SDKs through ${name}: every step of the scenario`, 11, 'scenario.py', async () => {
    const target = await open()
    return { target, args: [target.url, target.key, target.prefix] }
  })
}

/** A conversation of 20 tool calls with each of the official Python clients; skipped where they are not. */
export function pythonTwentySteps(name: string, open: () => Promise<Target>): void {
  withPython(`20 tool calls, every Python client on ${name}`, 3, 'twenty_steps.py', async () => {
    const target = await open()
    return { target, args: [target.url, target.key, `${target.prefix}demo-small`] }
  })
}

function withPython(
  title: string,
  count: number,
  script: string,
  prepare: () => Promise<{ target: Target; args: string[] }>,
): void {
  const folder = process.env['GW_PYTHON']
  const python = join(folder ?? '', 'bin/python')
  if (folder === undefined || !existsSync(python)) {
    console.log(`skipped: ${title}: GW_PYTHON names no virtual environment (bun test/sdk/python/install.ts FOLDER)`)
    test.skip(title, () => {})
    return
  }
  test(title, async () => {
    const { target, args } = await prepare()
    await using _ = target
    const child = Bun.spawn([python, new URL(`./${script}`, import.meta.url).pathname, ...args], {
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', PYTHONDONTWRITEBYTECODE: '1' },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, complaint] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
    expect([await child.exited, complaint]).toEqual([0, ''])
    const steps = out.trim().split('\n').map((line) => JSON.parse(line) as { step: string; error: string | null })
    expect(steps.length).toBe(count)
    expect(steps.filter(({ error }) => error !== null)).toEqual([])
  }, 120_000)
}
