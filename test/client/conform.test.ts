import { expect, test } from 'bun:test'
import type { ConformanceReport } from '../../lib/conform/mod.ts'
import { startGateway } from '../support/gateway.ts'
import { cli } from './support.ts'

test(
  'gw conform: gw in front of its demo upstream scores 100 %, with a model it finds itself',
  async () => {
    await using gateway = await startGateway({ demo: true })
    const env = { GW_TOKEN: gateway.token }
    const { code, stdout, stderr } = await cli(['conform', `${gateway.url}/v1`, '--json'], { env })
    expect(stderr).toBe('')
    const report = JSON.parse(stdout) as ConformanceReport
    expect(report.model).not.toMatch(/break|cut|delay|empty|error|hang/)
    expect(report.cases.filter(({ outcome }) => outcome === 'fail')).toEqual([])
    expect(report.cases.length).toBeGreaterThanOrEqual(48)
    expect(code).toBe(0)
  },
  60_000,
)

test('gw conform names each case for people and exits 1 when one fails', async () => {
  await using gateway = await startGateway({ demo: true })
  const good = await cli(['conform', gateway.url, '--only', 'bad-json'], { env: { GW_TOKEN: gateway.token } })
  expect(good.stdout).toMatch(/openai-chat\n {2}pass {2}bad-json/)
  expect(good.stdout).toContain('4 of 4 pass (100 %)')
  expect(good.code).toBe(0)
  const bad = await cli(['conform', gateway.url, '--only', '/whole', '--model', 'no-such'], {
    env: { GW_TOKEN: gateway.token },
  })
  expect(bad.stdout).toMatch(/FAIL {2}whole/)
  expect(bad.code).toBe(1)
}, 60_000)

test('gw conform refuses what it cannot test, and says why', async () => {
  const env = { GW_TOKEN: 'la_sk_x' }
  const cases = [
    [['conform', 'http://127.0.0.1:1'], {}, /a token is needed/],
    [['conform', 'ftp://x'], env, /no http URL/],
    [['conform', 'http://127.0.0.1:1', '--timeout-secs', 'x'], env, /--timeout-secs/],
  ] as const
  for (const [argv, given, said] of cases) {
    const { code, stderr } = await cli(argv, { env: given })
    expect(stderr).toMatch(said)
    expect(code).toBe(2)
  }
  const gone = await cli(['conform', 'http://127.0.0.1:1'], { env })
  expect(gone.stderr).toContain('does not answer')
  expect(gone.code).toBe(204)
})
