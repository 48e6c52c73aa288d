import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { cli } from './support.ts'
import { type ProcessHome, processHome } from './login-process.ts'

const limitMs = 120_000
let at: ProcessHome
beforeAll(() => {
  // Nobody answers there: what needs a vendor fails at once.
  at = processHome(`
[logins.corp]
issuer = "http://127.0.0.1:9"
client_id = "gw"

[logins.copilot]
device_url = "http://127.0.0.1:9/code"
token_url = "http://127.0.0.1:9/token"
`)
})
afterAll(() => at.close())

/** Every command about logins, under the names that other tools give them too, in a home that has no login. */
const commands: readonly (readonly [argv: readonly string[], code: number, says: string, input?: string])[] = [
  [['login', 'nobody'], 1, 'known are'],
  [['login', 'corp'], 204, 'look whether the network is up'],
  [['login', 'chatgpt', '--paste'], 2, 'nothing was pasted'],
  [['anthropic-login', '--paste'], 2, 'nothing was pasted'],
  [['login-openai-codex', '--paste'], 2, 'nothing was pasted'],
  [['login-github-copilot'], 204, ''],
  [['logout', 'chatgpt'], 0, 'removed'],
  [['anthropic-logout'], 0, 'removed'],
  [['list'], 0, '"data"'],
  [['vendors'], 0, 'chatgpt'],
  [['discover'], 0, '"data"'],
  [['import', 'nothing'], 1, 'known are'],
  [['inspect', 'chatgpt'], 203, 'gw auth login chatgpt'],
  [['anthropic-inspect'], 203, 'gw auth login claude'],
  [['refresh', 'chatgpt'], 203, 'gw auth login chatgpt'],
  [['chatgpt-access-token'], 203, 'gw auth login chatgpt'],
  [['chatgpt-account-id'], 203, 'gw auth login chatgpt'],
  [['openai-api-key'], 203, 'gw auth login chatgpt'],
  [['anthropic-access-token'], 203, 'gw auth login claude'],
  [['anthropic-api-key'], 203, 'gw auth login claude'],
  [['exchange', 'chatgpt'], 203, 'gw auth login chatgpt'],
  [['exchange', 'chatgpt', '--subject', 'other'], 2, 'access or id'],
  [['configure'], 2, 'add-api-key PROVIDER'],
  [['add-api-key', 'openai'], 2, 'standard input'],
  [['add-token', 'chatgpt'], 2, 'standard input'],
  [['add-oauth', 'qwen'], 2, 'standard input'],
  [['add-oauth', 'qwen', '--expires', 'soon'], 2, 'no time', 'a-token-of-mine\n'],
  [['setup-token'], 2, 'standard input'],
  [['setup-token'], 2, 'at least 80 characters', 'sk-ant-oat01-short\n'],
  [['set-order', 'openai', '--ids', 'nobody'], 1, 'gw accounts list'],
  [['set-server-token'], 2, 'standard input'],
  [['set-server-token'], 2, 'at least 16 characters', 'short\n'],
  [['set-server-token'], 0, 'changed', 'a-value-of-my-own-0123\n'],
]

describe('gw auth', () => {
  test(
    'each command with --json: JSON on standard output, or an error with code and next step on the other',
    async () => {
      const ends = await Promise.all(commands.map(async ([argv, code, says, input]) => {
        const done = await at.run(['auth', ...argv, '--json'], input ?? '')
        return { words: argv.join(' '), code, says, done }
      }))
      for (const { words, code, says, done } of ends) {
        expect([words, done.code, done.stderr]).toEqual([words, code, done.stderr])
        if (code === 0) {
          expect([words, done.stderr]).toEqual([words, ''])
          JSON.parse(done.stdout)
          expect(done.stdout).toContain(says)
        } else {
          expect([words, done.stdout]).toEqual([words, ''])
          const { error } = JSON.parse(done.stderr.trim().split('\n').at(-1)!)
          expect(`${words}: ${error.message} ${error.hint ?? ''}`).toContain(says)
          expect(error.code).toMatch(/^[a-z]+(\.[a-z_]+)?$/)
        }
      }
    },
    limitMs,
  )

  test('each command has help, and takes no flag that it does not know', async () => {
    const names = [...new Set(commands.map(([[name]]) => name!))]
    for (const name of names) {
      const help = await cli(['auth', name, '--help'])
      expect([name, help.code, help.stderr, help.stdout.includes(`Usage: gw auth ${name}`)]).toEqual([
        name,
        0,
        '',
        true,
      ])
      const unknown = await cli(['auth', name, '--no-such-flag'])
      expect([name, unknown.code, unknown.stdout]).toEqual([name, 2, ''])
    }
  }, limitMs)

  test('gw tplumb takes the words of token-plumber', async () => {
    const done = await at.run(['tplumb', 'auth', 'chatgpt-access-token'])
    expect([done.code, done.stdout]).toEqual([203, ''])
    expect((await at.run(['tplumb', 'auth', 'list', '--json'])).stdout).toContain('data')
  }, limitMs)
})
