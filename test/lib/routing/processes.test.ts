import { expect, test } from 'bun:test'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gw, inHome, serve } from '../../first-hour/program.ts'
import { fakeUpstream, type Step } from '../../support/fake-upstream.ts'
import { refusal, surfaces, well } from './surfaces.ts'

const [surface] = surfaces
const spent: Step = refusal(429, 'usage_limit_reached', {
  'x-codex-primary-used-percent': '100',
  'x-codex-primary-window-minutes': '300',
  'x-codex-primary-reset-at': String(Math.floor(Date.now() / 1000) + 3_000),
})

test('two processes of one home know the same, and what they know outlives a kill -9', () =>
  inHome(async (home) => {
    await using one = await fakeUpstream(well(surface!))
    await using two = await fakeUpstream(well(surface!))
    await writeFile(
      join(home, 'config.toml'),
      `
[egress]
allow_origins = ["${one.url}", "${two.url}"]
[routing]
strategy = "round-robin"
[providers.up]
protocol = "openai-chat"
capabilities = ["chat"]
base_url = "${one.url}/v1"
[accounts.one]
provider = "up"
token = "sk-of-one"
base_url = "${one.url}/v1"
[accounts.two]
provider = "up"
token = "sk-of-two"
base_url = "${two.url}/v1"
`,
    )
    const given = { home }
    await using doomed = await serve(given)
    await using other = await serve(given)
    const issued = await gw(['tokens', 'issue', '--label', 'test', '--scopes', 'admin', '--json'], given)
    const token = /la_sk_[\w.-]+/.exec(issued.out)![0]
    const ask = async (url: string, session: string) => {
      const reply = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'x-api-key': token, 'content-type': 'application/json', 'x-gw-session': session },
        body: JSON.stringify({ model: 'up/m', ...surface!.body }),
      })
      await reply.text()
      return `${reply.status} ${reply.headers.get('x-gw-target')} ${reply.headers.get('x-gw-cache')}`
    }
    const calls = () => one.requests.filter(({ path }) => path.endsWith('/chat/completions')).length
    const sessions = ['a', 'b', 'c', 'd']
    const homes: string[] = []
    for (const session of sessions) homes.push((await ask(doomed.url, session)).replace(' cold', ''))
    expect(new Set(homes).size).toBe(2)

    // Learnt by one process, and known to the other one before it has sent anything.
    one.follow(spent)
    const asked = calls() + 1
    for (let i = 0; calls() < asked; i++) {
      expect([i < 4, await ask(doomed.url, `new-${i}`)]).toEqual([true, '200 up:two#chat cold'])
    }
    await until(async () => {
      const told = await fetch(`${other.url}/api/liveness/quota`, { headers: { 'x-api-key': token } })
      const { data } = await told.json() as { data: { account: string; status: string }[] }
      return data.some(({ account, status }) => account === 'one' && status === 'rejected')
    })
    process.kill(doomed.pid, 'SIGKILL')
    for (let i = 0; i < 4; i++) expect(await ask(other.url, `other-${i}`)).toStartWith('200 up:two#chat')
    expect(calls()).toBe(asked)

    // A process that begins now knows the sessions' homes, and who is spent.
    await using late = await serve(given)
    for (const [i, session] of sessions.entries()) {
      const at = homes[i]!
      if (at.includes('up:two')) expect(await ask(late.url, session)).toBe(`${at} warm`)
      else expect(await ask(late.url, session)).toStartWith('200 up:two#chat cold')
    }
    expect(calls()).toBe(asked)
  }), 90_000)

/** Looks again until it is so, 20 s at most. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const late = performance.now() + 20_000
  while (!await isSo()) {
    if (performance.now() > late) throw new Error('it did not come to be')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
