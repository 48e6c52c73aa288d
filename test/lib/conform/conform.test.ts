import { expect, test } from 'bun:test'
import { runConformance } from '../../../lib/conform/mod.ts'
import type { ConformanceOptions } from '../../../lib/conform/run.ts'
import { type ProtocolId, protocolIds } from '../../../lib/protocol/mod.ts'
import { demoServer } from '../../support/demo-server.ts'
import { openLine, token } from '../gateway/harness.ts'

/** A whole run against gw in front of the demo, as an upstream of one protocol. */
async function runOver(protocol: ProtocolId, model: string, options: Partial<ConformanceOptions> = {}) {
  await using demo = demoServer()
  const base = protocol.startsWith('openai') ? `${demo.url}/v1` : demo.url
  const line = await openLine({ urls: [base], protocol, model })
  const report = await runConformance({
    baseUrl: 'http://gw.test/v1',
    token,
    model,
    async fetch(url, init) {
      const request = new Request(url, init)
      return await line.door.fetch(request, { address: '127.0.0.1', loopback: true }) ??
        new Response(null, { status: 404 })
    },
    ...options,
  })
  line.close()
  return report
}

for (const protocol of protocolIds) {
  test(`gw in front of an upstream of ${protocol} conforms in every protocol`, async () => {
    const report = await runOver(protocol, 'demo-small')
    // The fake router of this line knows no unknown models.
    const failed = report.cases.filter(({ outcome, id }) => outcome === 'fail' && !id.endsWith('/no-model'))
    expect(failed.map(({ id, detail }) => `${id}: ${detail}`)).toEqual([])
    expect(report.cases.length).toBeGreaterThan(40)
  })

  test(`gw in front of an upstream of ${protocol} that breaks or lies conforms in every protocol`, async () => {
    for (const model of ['demo-break', 'demo-cut', 'demo-garble', 'demo-twice']) {
      const { cases, failed } = await runOver(protocol, model, { broken: [model], only: 'broken-' })
      expect(cases.filter(({ outcome }) => outcome === 'fail').map(({ id, detail }) => `${id}: ${detail}`)).toEqual([])
      expect([cases.length, failed]).toEqual([8, 0])
    }
  })
}

test('runConformance() finds a gateway out that passes a broken stream on as a whole one', async () => {
  await using demo = demoServer()
  const { cases } = await runConformance({
    baseUrl: demo.url,
    token,
    model: 'demo-small',
    broken: ['demo-small', 'demo-twice'],
    only: 'openai-chat/broken-stream',
    fetch: (url, init) => fetch(url, init),
  })
  expect(cases.map(({ id, outcome }) => [id, outcome])).toEqual([
    ['openai-chat/broken-stream:demo-small', 'fail'],
    ['openai-chat/broken-stream:demo-twice', 'fail'],
  ])
})

test('runConformance() finds a gateway out that only pretends', async () => {
  const report = await runConformance({
    baseUrl: 'http://x.test',
    token: 't',
    model: 'm',
    fetch: () =>
      Promise.resolve(new Response('data: {"choices":[]}\n\n', { headers: { 'content-type': 'text/event-stream' } })),
  })
  expect(report.passed).toBe(0)
})
