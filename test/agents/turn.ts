// One turn of one agent, inside a network namespace that has nothing but loopback:
// `turn.ts AGENTS_FOLDER INDEX UPSTREAM_PROTOCOL [tools|own|helper]`. Prints one JSON line for the test that started it.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { agents, type Door } from './agents.ts'
import { serveFixture } from '../support/mcp/fixture.ts'
import { openDoor, type UpstreamProtocol } from './door.ts'

/** What became of a turn. */
export interface TurnResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
  /** What the tool call wrote, or `null` when it never ran. */
  readonly marker: string | null
  /** Whether anything outside this machine could be reached. It must not. */
  readonly outside: boolean
  readonly took: number
}

const prompt = 'Use your shell tool to run `echo tool-ran > marker.txt && cat marker.txt` and tell me what it printed.'

/** Longest a turn may take. */
const limitMs = 90_000

if (import.meta.main) {
  const [folder = '', index = '0', protocol = '', kind] = process.argv.slice(2)
  // Not under /tmp: Codex's own sandbox cannot work there.
  const base = mkdtempSync(join(process.env['GW_AGENTS_STATE'] ?? '/var/tmp', 'gw-turn-'))
  try {
    console.log(
      JSON.stringify(await turn(folder, Number(index), protocol as UpstreamProtocol, base, kind ?? 'shell')),
    )
  } finally {
    rmSync(base, { recursive: true, force: true })
  }
  process.exit(0)
}

async function turn(
  folder: string,
  index: number,
  protocol: UpstreamProtocol,
  base: string,
  kind: string,
): Promise<TurnResult> {
  const agent = agents(folder)[index]!
  const [home, work] = ['home', 'work'].map((name) => join(base, name)) as [string, string]
  for (const path of [home, work]) mkdirSync(path)
  const foreign = kind === 'tools'
  const fixture = foreign ? serveFixture() : null
  await using open = await openDoor(protocol, fixture?.url)
  const door: Door = {
    url: open.url,
    token: open.token,
    model: `${open.prefix}demo-small`,
    toolServer: kind === 'own' ? `${open.url}/mcp` : fixture && `${open.url}/v1/mcp/fixture`,
    tokenCommand: kind === 'helper'
      ? [
        '/usr/bin/env',
        `GW_HOME=${open.home}`,
        process.execPath,
        join(import.meta.dir, '../../client/cli/main.ts'),
        'token',
      ]
      : null,
  }
  const tool = foreign ? 'test_simple_text' : kind === 'own' ? 'system_version' : null
  const said = tool === null ? prompt : `Use the tool ${agent.toolName(tool)} and tell me what it said.`
  const { argv, env } = agent.prepare(home, door, said)
  const outside = await fetch('https://1.1.1.1', { signal: AbortSignal.timeout(2000) }).then(() => true, () => false)
  const startedAt = performance.now()
  const child = Bun.spawn([...argv], {
    cwd: work,
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: home, LANG: 'C.UTF-8', ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  const [stdout, stderr, exitCode] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  clearTimeout(timer)
  await fixture?.stop()
  const path = join(work, 'marker.txt')
  return {
    exitCode,
    stdout: stdout.slice(-4000),
    stderr: stderr.slice(-4000),
    marker: existsSync(path) ? readFileSync(path, 'utf8') : null,
    outside,
    took: Math.round(performance.now() - startedAt),
  }
}
