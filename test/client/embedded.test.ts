import { afterEach, expect, test } from 'bun:test'
import { resolve } from 'node:path'
import { type ProcessHome, processHome } from './login-process.ts'

const main = resolve(import.meta.dir, '../../client/cli/main.ts')
let home: ProcessHome | null = null
afterEach(() => home?.close())

test('a build with credentials in it prints them when asked to, and says each time that it does', async () => {
  const credentials = { claudeAiOauth: { accessToken: 'embedded-access', refreshToken: 'r' }, api_key: 'embedded-key' }
  // The define is one for the bundler and for the runtime alike: what is tested is the program with it in place.
  const define = ['--define', `GW_EMBED_ANTHROPIC_CREDENTIALS_JSON=${JSON.stringify(credentials)}`]
  home = processHome('', [process.execPath, ...define, main])
  for (
    const [command, value] of [
      ['anthropic-access-token', 'embedded-access'],
      ['anthropic-api-key', 'embedded-key'],
    ] as const
  ) {
    const { code, stdout, stderr } = await home.run(['auth', command, '--credential-source', 'embedded'])
    expect([command, code, stdout]).toEqual([command, 0, `${value}\n`])
    expect(stderr).toBe('gw: using the credentials embedded in this build\n')
    const stored = await home.run(['auth', command])
    expect([stored.code, stored.stdout]).toEqual([203, ''])
  }
}, 60_000)
