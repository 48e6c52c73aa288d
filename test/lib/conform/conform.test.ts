import { expect, test } from 'bun:test'
import { runConformance } from '../../../lib/conform/mod.ts'
import { protocolIds } from '../../../lib/protocol/mod.ts'
import { demoServer } from '../../support/demo-server.ts'
import { openLine, token } from '../gateway/harness.ts'

for (const protocol of protocolIds) {
  test(`gw in front of an upstream of ${protocol} conforms in every protocol`, async () => {
    await using demo = demoServer()
    const base = protocol.startsWith('openai') ? `${demo.url}/v1` : demo.url
    const line = await openLine({ urls: [base], protocol, model: 'demo-small' })
    const report = await runConformance({
      baseUrl: 'http://gw.test/v1',
      token,
      model: 'demo-small',
      async fetch(url, init) {
        const request = new Request(url, init)
        return await line.door.fetch(request, { address: '127.0.0.1', loopback: true }) ??
          new Response(null, { status: 404 })
      },
    })
    line.close()
    // The fake router of this line knows no unknown models.
    const failed = report.cases.filter(({ outcome, id }) => outcome === 'fail' && !id.endsWith('/no-model'))
    expect(failed.map(({ id, detail }) => `${id}: ${detail}`)).toEqual([])
    expect(report.cases.length).toBeGreaterThan(40)
  })
}

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
