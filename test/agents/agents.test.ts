import { expect, test } from 'bun:test'
import { agents, missing } from './agents.ts'
import { type UpstreamProtocol, upstreamProtocols } from './door.ts'
import type { TurnResult } from './turn.ts'

const folder = process.env['GW_AGENTS']
const root = process.getuid?.() === 0
const jail = Bun.which('unshare') && Bun.which('ip')
  ? [Bun.which('unshare')!, ...(root ? ['-n'] : ['-rn']), 'sh', '-c', 'ip link set lo up && exec "$@"', 'sh']
  : undefined

const skip = folder === undefined
  ? 'GW_AGENTS is not set (bun test/agents/install.ts FOLDER says how)'
  : jail === undefined
  ? 'unshare and ip are not installed, so there is no network to lock the agents into'
  : undefined
if (skip !== undefined) console.log(`skipped: agents: ${skip}`)

for (const [index, agent] of agents(folder ?? '').entries()) {
  const reason = skip ?? missing(agent)
  if (reason !== undefined && skip === undefined) console.log(`skipped: ${agent.name}: ${reason}`)
  for (const upstream of upstreamProtocols) {
    const name = `${agent.name} over ${agent.protocol} finishes a tool turn on a model that speaks ${upstream}`
    if (reason === undefined) test(name, () => shellTurn(index, upstream), 150_000)
    else test.skip(name, () => {})
  }
  if (agent.name !== 'OpenCode') {
    const name = `${agent.name} asks gw token for its token`
    if (reason === undefined) test(name, () => shellTurn(index, agent.protocol, ['helper']), 150_000)
    else test.skip(name, () => {})
  }
  if (agent.name !== 'OpenCode') {
    const name = `${agent.name} over ${agent.protocol} calls a tool of gw itself`
    if (reason === undefined) test(name, () => ownTurn(index, agent.protocol), 150_000)
    else test.skip(name, () => {})
  }
  const name = `${agent.name} over ${agent.protocol} calls a tool of a foreign server through gw`
  if (reason === undefined) test(name, () => foreignTurn(index, agent.protocol), 150_000)
  else test.skip(name, () => {})
}

async function shellTurn(index: number, upstream: UpstreamProtocol, extra: readonly string[] = []): Promise<void> {
  const result = await turn(index, upstream, extra)
  expect(result.marker).toBe('tool-ran\n')
  // Only an upstream that was given the tool's output can say this.
  expect(result.stdout).toMatch(/The tool said:[\s\S]*tool-ran/)
}

async function foreignTurn(index: number, upstream: UpstreamProtocol): Promise<void> {
  const result = await turn(index, upstream, ['tools'])
  expect(result.stdout).toMatch(/The tool said:[\s\S]*This is a simple text response for testing/)
}

async function ownTurn(index: number, upstream: UpstreamProtocol): Promise<void> {
  const result = await turn(index, upstream, ['own'])
  expect(result.stdout).toMatch(/The tool said:[\s\S]*runtimeVersion/)
}

async function turn(index: number, upstream: UpstreamProtocol, extra: readonly string[]): Promise<TurnResult> {
  const script = new URL('./turn.ts', import.meta.url).pathname
  const child = Bun.spawn([...jail!, process.execPath, script, folder!, String(index), upstream, ...extra], {
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', BUN_CONFIG_MAX_HTTP_REQUESTS: '65336' },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const [line, complaint] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  if (line.trim() === '') throw new Error(`the turn did not run: ${complaint}`)
  const result = JSON.parse(line) as TurnResult
  expect(result.outside).toBe(false)
  expect([result.exitCode, result.exitCode === 0 ? '' : result.stderr + result.stdout]).toEqual([0, ''])
  return result
}
