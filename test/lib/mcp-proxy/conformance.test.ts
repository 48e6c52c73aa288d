import { expect, test } from 'bun:test'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { serveFixture } from '../../support/mcp/fixture.ts'
import { serveProxy } from '../../support/mcp/proxy.ts'

const root = resolve(import.meta.dir, '../../..')
const suite = join(root, 'node_modules/@modelcontextprotocol/conformance/dist/index.js')

/** Runs the public server suite against an address and gives each check's verdict by its name. */
async function runSuite(url: string): Promise<Record<string, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'gw-conformance-'))
  try {
    const child = Bun.spawn([process.execPath, suite, 'server', '--url', url, '--suite', 'all', '-o', folder], {
      stdout: 'ignore',
      stderr: 'ignore',
      cwd: folder,
    })
    await child.exited
    const verdicts: Record<string, string> = {}
    for (const run of (await readdir(folder)).sort()) {
      const checks = JSON.parse(await readFile(join(folder, run, 'checks.json'), 'utf8')) as {
        id: string
        status: string
      }[]
      const scenario = run.replace(/^server-|-\d{4}-\d\d-\d\dT.*$/g, '')
      for (const { id, status } of checks) if (status !== 'INFO') verdicts[`${scenario}: ${id}`] = status
    }
    return verdicts
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('the conformance suite finds the same through the proxy as directly, check by check', async () => {
  const fixture = serveFixture()
  const servers = {
    http: { url: fixture.url, local: true, namespace: '' },
    stdio: { command: [process.execPath, join(root, 'test/support/mcp/stdio.ts')], merge: false },
  }
  const proxy = await serveProxy({ servers })
  try {
    const direct = await runSuite(fixture.url)
    expect(Object.keys(direct).length).toBeGreaterThan(40)
    expect(Object.entries(direct).filter(([, status]) => status === 'FAILURE')).toEqual([])
    expect(await runSuite(proxy.url('http'))).toEqual(direct)
    const merged = await runSuite(proxy.url(null))
    expect(merged).toEqual(direct)
    const piped = await runSuite(proxy.url('stdio'))
    expect(Object.entries(piped).filter(([, status]) => status === 'FAILURE')).toEqual([])
  } finally {
    await proxy.stop()
    await fixture.stop()
  }
}, 120_000)
