import { expect, test } from 'bun:test'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type FakeVendor, fakeVendor, jwt } from '../support/vendors/fake-vendor.ts'
import { type ProcessHome, processHome } from './login-process.ts'
import { cleanUp } from '../support/cleanups.ts'

const cleanups = cleanUp()

/** Stands in every secret of this test, and in the bodies that a vendor answers with. */
const canary = /canary-|Y2FuYXJ5L|NhbmFyeS|jYW5hcnkt/

function config(vendor: FakeVendor): string {
  return `
[logins.chatgpt]
authorize_url = "${vendor.url}/authorize"
token_url = "${vendor.url}/token"
api_key_url = "${vendor.url}/mint"
revoke_url = "${vendor.url}/revoke"
redirect_ports = [0]
`
}

const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())

/** The arguments of every process that works on this home, gw and its children, where the system shows them. */
function processes(home: string): string {
  if (process.platform !== 'linux') return ''
  const read = (pid: string, name: string) => {
    try {
      return readFileSync(`/proc/${pid}/${name}`, 'latin1')
    } catch {
      return ''
    }
  }
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name) && read(name, 'environ').includes(home))
    .map((pid) => read(pid, 'cmdline')).join('\n')
}

test(
  'no secret reaches output, errors, the process list, the audit rows, the log or a file, whatever goes wrong',
  async () => {
    const vendor = await fakeVendor()
    cleanups.push(() => vendor.close())
    const at: ProcessHome = processHome(config(vendor))
    cleanups.push(() => at.close())
    const said: string[] = []
    let list = ''
    const see = <T>(answer: T) => () => {
      // While gw waits for this answer: what others on the machine can see of it.
      list += processes(at.home)
      return answer
    }
    const tokens = (n: number) =>
      see(
        [200, {
          access_token: `canary-access-${n}`,
          refresh_token: `canary-refresh-${n}`,
          id_token: jwt({ email: 'a@b.test', note: 'public' }),
          expires_in: 3600,
        }] as const,
      )
    const say = async (argv: readonly string[], input = '') => {
      const { code, stdout, stderr } = await at.run(['--verbose', ...argv], input)
      said.push(`${argv.join(' ')}: ${stdout}${stderr}`)
      return code
    }
    vendor.on('/token', tokens(1))
    const login = at.start(['--verbose', 'auth', 'login', '--paste'])
    const url = new URL(await login.address())
    login.type(`canary-code#${url.searchParams.get('state')}`)
    const done = await login.done
    expect(done.code).toBe(0)
    said.push(done.stdout + done.stderr)
    vendor.on('/revoke', see([200, {}] as const))
    vendor.on('/mint', see([400, { error: 'invalid_request', error_description: 'canary-mint' }] as const))
    expect(await say(['auth', 'openai-api-key'])).toBe(202)
    for (
      const answer of [[503, { error: 'canary-busy' }], [200, { access_token: 7, x: 'canary-odd' }], [400, {
        error: 'invalid_grant',
        error_description: 'the token canary-refresh-1 was spent',
      }]] as const
    ) {
      vendor.on('/token', see(answer))
      expect(await say(['auth', 'refresh', 'chatgpt'])).toBe(203)
    }
    expect(await say(['auth', 'add-api-key', 'openai'], 'sk-canary-key')).toBe(0)
    expect(
      await say(['auth', 'add-oauth', 'qwen'], '{"access_token":"canary-q-access","refresh_token":"canary-q-refresh"}'),
    )
      .toBe(0)
    expect(await say(['auth', 'setup-token'], 'sk-ant-oat01-canary-too-short')).toBe(2)
    for (
      const argv of [
        ['auth', 'list', '--json'],
        ['auth', 'inspect', 'chatgpt'],
        ['accounts', 'list', '--json'],
        [
          'audit',
          'list',
          '--json',
        ],
        ['events', '--json'],
        ['report'],
        ['config', 'show', '--all'],
        ['discover'],
        ['auth', 'logout', 'chatgpt'],
      ]
    ) await say(argv)
    for (const text of said) expect(text).not.toMatch(canary)
    expect([list.length > 0 || process.platform !== 'linux', canary.test(list)]).toEqual([true, false])
    // The stores too hold nothing in clear: keys are sealed, and what was logged out is gone.
    const files = filesOf(at.home)
    expect(files.length).toBeGreaterThan(2)
    for (const path of files) expect([path, canary.test(readFileSync(path, 'latin1'))]).toEqual([path, false])
  },
  90_000,
)
