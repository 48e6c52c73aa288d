import { afterAll, afterEach, beforeAll, expect, test } from 'bun:test'
import { buildExecutable, type Executable } from './executable.ts'
import { type ProcessHome, processHome } from './login-process.ts'

const limitMs = 120_000
let built: Executable
let home: ProcessHome | null = null
beforeAll(async () => {
  // The build script itself, bytecode and all, with what a user would add to it.
  built = await buildExecutable({
    define: {
      GW_EMBED_ANTHROPIC_CREDENTIALS_JSON: JSON.stringify({
        claudeAiOauth: { accessToken: 'embedded-access', refreshToken: 'r', expiresAt: Date.now() + 3_600_000 },
        api_key: 'embedded-key',
      }),
      GW_EMBED_ANTHROPIC_CREDENTIALS_NAME: '"the team"',
    },
  })
}, limitMs)
afterAll(() => built.remove())
afterEach(() => home?.close())

test('a build with credentials in it prints them when asked to, and says each time that it does', async () => {
  home = processHome('', [built.path])
  for (
    const [command, value] of [
      ['anthropic-access-token', 'embedded-access'],
      ['anthropic-api-key', 'embedded-key'],
    ] as const
  ) {
    const { code, stdout, stderr } = await home.run(['auth', command, '--credential-source', 'embedded'])
    expect([command, code, stdout]).toEqual([command, 0, `${value}\n`])
    expect(stderr).toBe('gw: using the credentials embedded in this build (the team)\n')
    const stored = await home.run(['auth', command])
    expect([stored.code, stored.stdout]).toEqual([203, ''])
  }
  const shown = await home.run(['auth', 'anthropic-inspect', '--credential-source', 'embedded', '--json'])
  expect([shown.code, JSON.parse(shown.stdout)]).toMatchObject([0, {
    where: 'this build: the team',
    accessToken: true,
    apiKey: true,
  }])
  expect(shown.stdout).not.toContain('embedded-')
}, limitMs)

const main = new URL('../../client/cli/main.ts', import.meta.url).pathname

test('embedded is never filled up from what is stored, and what is over is not printed', async () => {
  for (
    const [credentials, command, code, says] of [
      [{ accessToken: 'a', expiresAt: 1_700_000_000_000 }, 'anthropic-access-token', 203, 'is over'],
      [{ api_key: 'k' }, 'anthropic-access-token', 202, 'have no accessToken'],
      [{ accessToken: 'a' }, 'anthropic-api-key', 202, 'have no apiKey'],
      ['nonsense', 'anthropic-api-key', 202, 'not understood'],
    ] as const
  ) {
    // The define is one for the bundler and for the runtime alike.
    const define = ['--define', `GW_EMBED_ANTHROPIC_CREDENTIALS_JSON=${JSON.stringify(credentials)}`]
    const at = processHome('', [process.execPath, ...define, main])
    try {
      await at.run(['auth', 'add-token', 'claude'], 'a-stored-token\n')
      const done = await at.run(['auth', command, '--credential-source', 'embedded'])
      expect([says, done.code, done.stdout, done.stderr.includes(says)]).toEqual([says, code, '', true])
    } finally {
      await at.close()
    }
  }
}, limitMs)
