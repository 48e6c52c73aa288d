import { expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const main = join(import.meta.dir, '../../client/cli/main.ts')

/** Runs gw in a shell, so that its output goes where a person sends it. */
async function shell(line: string): Promise<{ code: number; said: string }> {
  const child = Bun.spawn(['bash', '-c', line.replaceAll('gw ', `"${process.execPath}" "${main}" `)], {
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent' },
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { code, said: out + err }
}

test.skipIf(!existsSync('/dev/full'))('a full disk is an error with a sentence, not a silent success', async () => {
  for (const command of ['gw version > /dev/full', 'gw --help > /dev/full', 'gw providers list --json > /dev/full']) {
    const { code, said } = await shell(command)
    expect({ command, code, said }).toEqual({ command, code: 1, said: expect.stringMatching(/^gw: [^\n]+\n$/) })
  }
})

test('a reader that goes away is no error', async () => {
  const { code, said } = await shell('set -o pipefail; gw providers list --json | head -1')
  expect({ code, said }).toEqual({ code: 0, said: '{\n' })
})
