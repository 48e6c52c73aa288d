import { afterAll, expect, test } from 'bun:test'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database } from 'bun:sqlite'
import { openServed } from '../surfaces/served.ts'
import { cli } from './support.ts'

const roots: string[] = []
afterAll(() => roots.forEach((root) => rmSync(root, { recursive: true, force: true })))

function home() {
  const root = mkdtempSync(join(tmpdir(), 'gw-recorded-'))
  roots.push(root)
  const env = { GW_HOME: root, HOME: root }
  return { root, env, run: (argv: string[]) => cli(argv, { env, cwd: root }) }
}

const key = 'sk-literal-0123456789abcdef'
const litellm = `model_list:
  - model_name: small
    litellm_params: { model: openai/gpt-small, api_key: ${key} }
`

async function records(run: ReturnType<typeof home>['run']) {
  const { stdout } = await run(['audit', 'list', '--json'])
  return (JSON.parse(stdout) as { data: { operation: string; state: string; surface: string }[] }).data
}

const changes: readonly (readonly [operation: string, argv: (root: string) => string[]])[] = [
  ['migrate.run', (root) => ['import', 'litellm', join(root, 'litellm.yaml')]],
  ['onboarding.init', () => ['init']],
  ['onboarding.enroll', () => ['enroll', 'github', '--account', 'work', '--confirm-enroll']],
  ['onboarding.candidate', () => ['codex', 'config-candidate']],
  ['onboarding.stores', () => ['codex', 'bootstrap-dirs', '--accounts', 'one']],
  ['llm.set', () => ['llm', 'config', 'set', '--proxy-port', '4111']],
]

for (const [operation, argv] of changes) {
  test(`gw ${argv('…').join(' ')} is on the record, and does not happen where the record cannot be written`, async () => {
    const { root, run } = home()
    writeFileSync(join(root, 'litellm.yaml'), litellm)
    const done = await run(argv(root))
    expect([done.code, done.stderr.replace('saved\n', '')]).toEqual([0, ''])
    const found = (await records(run)).find((one) => one.operation === operation)
    expect(found).toMatchObject({ operation, state: 'done', surface: 'cli' })
    expect(JSON.stringify(await records(run))).not.toContain(key)

    const other = home()
    writeFileSync(join(other.root, 'litellm.yaml'), litellm)
    await other.run(['audit', 'list'])
    await other.run(['approvals', 'deny', 'apr_none'])
    const database = new Database(join(other.root, 'gw.sqlite'))
    database.run('drop table audit')
    database.close()
    const before = existsSync(join(other.root, 'config.toml'))
    const refused = await other.run(argv(other.root))
    expect([refused.code, refused.stderr.includes('audit record cannot be written')]).toEqual([1, true])
    expect(existsSync(join(other.root, 'config.toml'))).toBe(before)
    expect(existsSync(join(other.root, 'codex-max.config.json'))).toBe(false)
  })
}

test('a file is taken over through --url too, read where the command runs', async () => {
  const { root } = home()
  const served = await openServed()
  try {
    const path = join(root, 'litellm.yaml')
    writeFileSync(path, litellm)
    chmodSync(path, 0o600)
    const argv = ['import', 'litellm', path, '--url', served.url, '--json']
    const dry = await cli([...argv, '--dry-run'], { env: { GW_TOKEN: served.token } })
    expect(JSON.parse(dry.stdout)).toMatchObject({ ok: true, dryRun: true, taken: expect.any(Array) })
    expect(existsSync(join(served.root, 'config.toml'))).toBe(false)
    const done = await cli(argv, { env: { GW_TOKEN: served.token } })
    const report = JSON.parse(done.stdout)
    expect(report).toMatchObject({ ok: true, dryRun: false })
    expect(report.secrets.length).toBe(1)
    expect(readFileSync(join(served.root, 'config.toml'), 'utf8')).not.toContain(key)
    const { rooms } = served.gateway
    const account = rooms.accounts.list().find(({ source }) => source.type === 'store')!
    expect((await rooms.accounts.credentialFor(account)).secret.reveal()).toBe(key)
  } finally {
    await served.close()
  }
})
