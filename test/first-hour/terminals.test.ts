import { describe, expect, test } from 'bun:test'
import { gw, inHome, main, serve } from './program.ts'

const script = process.platform === 'linux' ? Bun.which('script') : null

/** Runs a command line at a terminal of so many columns, with somebody who types. */
async function atTerminal(
  { home, columns, env = {}, typed = '', question = /secret\?/ }: {
    home: string
    columns: number
    env?: Readonly<Record<string, string>>
    typed?: string
    question?: RegExp
  },
  words: string,
): Promise<{ text: string; code: number }> {
  const line = `stty cols ${columns} rows 24; "${process.execPath}" "${main}" ${words}; echo "code $?"`
  const child = Bun.spawn([script!, '-qec', line, '/dev/null'], {
    env: { PATH: process.env.PATH ?? '', HOME: home, GW_HOME: home, TERM: 'xterm-256color', ...env },
    cwd: '/',
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'pipe',
  })
  const late = setTimeout(() => child.kill('SIGKILL'), 30_000)
  const utf8 = new TextDecoder()
  let text = ''
  let asked = typed === ''
  for await (const bytes of child.stdout) {
    text += utf8.decode(bytes, { stream: true })
    if (!asked && question.test(text)) {
      asked = true
      // The terminal is listened to a moment after the question stands there.
      await Bun.sleep(200)
      child.stdin.write(typed)
      child.stdin.flush()
    }
  }
  await child.exited
  clearTimeout(late)
  return { text: text.replaceAll('\r', ''), code: Number(/code (\d+)\s*$/.exec(text)?.[1]) }
}

// deno-lint-ignore no-control-regex
const escapes = /\x1b/

describe.skipIf(script === null)('a terminal', () => {
  const columnsOf = (text: string) => Math.max(...text.split('\n').map((line) => line.length))

  test('without colour gets none, and every other one the same words', () =>
    inHome(async (home) => {
      const added = await gw(['accounts', 'add', 'openai', '--secret-stdin'], { home, input: 'sk-first-hour' })
      expect(added.code).toBe(0)
      const coloured = await atTerminal({ home, columns: 100 }, 'accounts list')
      expect(coloured.text).toMatch(escapes)
      for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
        const plain = await atTerminal({ home, columns: 100, env }, 'accounts list')
        expect(plain.text).not.toMatch(escapes)
        // deno-lint-ignore no-control-regex
        expect(plain.text).toBe(coloured.text.replaceAll(/\x1b\[\d*m/g, ''))
      }
      const wrong = await atTerminal({ home, columns: 100, env: { NO_COLOR: '1' } }, 'accounts remove nobody')
      expect(wrong.text).toStartWith('gw: ')
      expect(wrong).toMatchObject({ code: 1, text: expect.not.stringMatching(escapes) })
      const piped = await gw(['accounts', 'list'], { home, env: { FORCE_COLOR: '1' } })
      expect(piped.out).not.toMatch(escapes)
    }), 60_000)

  test('of 40 columns is not overrun by a table; one of 0 is one of unknown width', () =>
    inHome(async (home) => {
      const id = 'an-account-with-a-name-that-is-far-too-long'
      const words = ['accounts', 'add', 'openai', '--id', id, '--secret-stdin']
      expect((await gw(words, { home, input: 'sk-first-hour' })).code).toBe(0)
      const env = { NO_COLOR: '1' }
      const narrow = await atTerminal({ home, columns: 72, env }, 'accounts list')
      expect(columnsOf(narrow.text)).toBeLessThanOrEqual(72)
      expect(narrow.text).toContain(id)
      expect(narrow.text).toContain('too narrow for enabled, priority, plan, origin')
      const least = await atTerminal({ home, columns: 40, env }, 'accounts list')
      expect(columnsOf(least.text)).toBeLessThanOrEqual(40)
      expect(least.text).toContain('…')
      const unknown = await atTerminal({ home, columns: 0, env }, 'accounts list')
      expect(unknown.text).toContain(id)
      expect((await atTerminal({ home, columns: 0, env }, '--help')).code).toBe(0)
    }), 60_000)

  test(
    'talks: what is pasted in one piece is asked line by line, and the shell goes on in a line of its own',
    () =>
      inHome(async (home) => {
        await using _ = await serve({ home }, '--demo')
        const at = { home, columns: 100, env: { NO_COLOR: '1' }, question: /> / }
        const talk = await atTerminal({ ...at, typed: 'one\rtwo\r/exit\r' }, 'chat -m demo-small')
        expect(talk.text).toMatch(/You said: “one”[^]*> two\nYou said: “two”[^]*> \/exit\n/)
        expect(talk.code).toBe(0)
        const stopped = await atTerminal({ ...at, typed: '\x03' }, 'chat -m demo-small')
        expect(stopped.code).toBe(130)
      }),
    60_000,
  )

  test(
    'that cannot move its cursor is asked for a secret all the same, and shows nothing of it',
    () =>
      inHome(async (home) => {
        const env = { TERM: 'dumb' }
        const added = await atTerminal({ home, columns: 80, env, typed: 'sk-sex\x7fcret\r' }, 'accounts add openai')
        expect(added.text).not.toMatch(escapes)
        expect(added.text).not.toContain('sk-sec')
        expect(added.code).toBe(0)
        const left = await atTerminal({ home, columns: 80, env, typed: 'sk-\x03' }, 'accounts add groq')
        expect(left.code).not.toBe(0)
        const { out } = await gw(['accounts', 'list', '--json'], { home })
        expect(JSON.parse(out).data.map((account: { id: string }) => account.id)).toEqual(['openai'])
      }),
    60_000,
  )
})

test('where nobody can be asked, it is said how a secret is given instead', () =>
  inHome(async (home) => {
    const refused = await gw(['accounts', 'add', 'openai'], { home })
    expect(refused.code).toBe(2)
    expect(refused.err).toMatch(/--secret-stdin|--from/)
  }))

describe('the request that a start prints', () => {
  const ask = async (home: string, model: RegExp) => {
    let said = ''
    await using served = await serve({ home }, '--print-token')
    const until = Date.now() + 20_000
    while (!/try it:[^]*\n\n/.test(said = served.said()) && Date.now() < until) await Bun.sleep(50)
    expect(said).toMatch(model)
    const command = /curl[^]*$/.exec(said)![0].trim()
    if (command.includes('PROVIDER/MODEL')) return null
    const run = Bun.spawn(['sh', '-c', command.replace('curl', 'curl -s')], {
      stdout: 'pipe',
      env: { PATH: process.env.PATH ?? '' },
    })
    return JSON.parse(await new Response(run.stdout).text())
  }

  test.skipIf(!Bun.which('curl'))('is answered: its model is one that an account lists', () =>
    inHome(async (home) => {
      const listed = ['text-embedding-3-small', 'gpt-5-pro', 'gpt-5-mini', 'dall-e-3']
      const vendor = Bun.serve({
        port: 0,
        hostname: '127.0.0.1',
        async fetch(request) {
          if (request.method === 'GET') {
            return Response.json({ object: 'list', data: listed.map((id) => ({ id, object: 'model' })) })
          }
          const { model } = await request.json() as { model: string }
          const message = { role: 'assistant', content: `from ${model}` }
          return Response.json({
            id: 'c',
            object: 'chat.completion',
            model,
            choices: [{ index: 0, message, finish_reason: 'stop' }],
          })
        },
      })
      try {
        await Bun.write(
          `${home}/config.toml`,
          `[egress]\nallow_origins = ["${vendor.url.origin}"]\n[providers.openai]\nbase_url = "${vendor.url.origin}/v1"\n`,
        )
        expect((await gw(['accounts', 'add', 'openai', '--secret-stdin'], { home, input: 'sk-x' })).code).toBe(0)
        const answer = await ask(home, /"model":"openai\/gpt-5-mini"/)
        expect(answer.choices[0].message.content).toBe('from gpt-5-mini')
      } finally {
        await vendor.stop(true)
      }
    }), 60_000)

  test('names no model where none is known, and says how to see them', () =>
    inHome(async (home) => {
      await Bun.write(
        `${home}/config.toml`,
        '[egress]\nallow_origins = ["http://127.0.0.1:1"]\n[providers.openai]\nbase_url = "http://127.0.0.1:1/v1"\n',
      )
      expect((await gw(['accounts', 'add', 'openai', '--secret-stdin'], { home, input: 'sk-x' })).code).toBe(0)
      expect(await ask(home, /gw models list --available\n/)).toBeNull()
    }), 60_000)
})
