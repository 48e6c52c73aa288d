import { codeOfPublic, GwError, isGwError, isObject, type Secret, sseParser } from '../../lib/base/mod.ts'
import type { Home } from '../../lib/open-home.ts'
import { reportError } from './exit.ts'
import { printable } from './words.ts'
import type { AddCommands } from './program.ts'
import { findServing } from './session.ts'

interface ChatFlags {
  readonly model?: string
  readonly account?: string
  readonly system?: string
  readonly temperature: string
  readonly maxTokens: string
}

interface Message {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** The longest conversation. */
const talkMs = 6 * 3_600_000
/** The longest question that is piped in; what the gateway takes at once is its own setting. */
const largestInput = 32 * 1_048_576

/** Sends a request to the gateway that the session means. */
type Send = (path: string, body: object) => Promise<Response>

/** `gw chat`: a conversation on the terminal, or one question from standard input. */
export const chat: AddCommands = (program, { io, options, withSession }) => {
  program.command('chat [question...]')
    .description('Talk to a model through the gateway; /exit leaves')
    .option('-m, --model <model>', 'model to ask; the default of `gw models set-default` if absent')
    .option('--account <id>', 'account to use')
    .option('--system <text>', 'instructions')
    .option('--temperature <number>', 'how freely it answers', '0.2')
    .option('--max-tokens <number>', 'longest answer, in tokens', '4096')
    .addHelpText(
      'after',
      '\nExamples: gw chat -m openai/gpt-5-mini "Say hello."\n          gw chat "Sum this up:" - < notes.txt',
    )
    .action((words: string[], flags: ChatFlags) =>
      withSession(async (session) => {
        const { remote } = session
        if (remote) return await talk(words, flags, sendTo(remote.url, remote.token))
        const serving = await findServing(io)
        if (serving) {
          const { access } = await session.home()
          return await withOwnToken(access, flags, (token) => talk(words, flags, sendTo(new URL(serving.url), token)))
        }
        const [{ createGateway }, { silentLogger }] = await Promise.all([
          import('../../lib/create-gateway.ts'),
          import('../../lib/base/mod.ts'),
        ])
        const { config, flags: settings } = options()
        const gateway = await createGateway({
          env: io.env,
          cwd: io.cwd,
          settings,
          logger: silentLogger,
          ...(config === undefined ? {} : { configFile: config }),
        })
        try {
          await withOwnToken(gateway.rooms.access, flags, (token) =>
            talk(words, flags, (path, body) =>
              gateway.fetch(post(new URL(path, 'http://localhost'), body, token))))
        } finally {
          await gateway.close()
        }
      })
    )

  const post = (url: URL, body: object, token: Secret | null) =>
    new Request(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(token ? { authorization: `Bearer ${token.reveal()}` } : {}),
      },
      body: JSON.stringify(body),
      signal: io.signal,
    })

  function sendTo(url: URL, token: Secret | null): Send {
    return (path, body) =>
      fetch(post(new URL(path, url), body, token)).catch((cause) => {
        io.signal.throwIfAborted()
        throw new GwError('upstream.unreachable', `no gateway answers at ${url.origin}`, {
          hint: 'start one with: gw serve',
          cause,
        })
      })
  }

  async function talk(words: readonly string[], flags: ChatFlags, send: Send): Promise<void> {
    const messages: Message[] = flags.system === undefined ? [] : [{ role: 'system', content: flags.system }]
    const once = words.length > 0 ? await questionOf(words) : io.interactive ? null : await io.readInput(largestInput)
    if (once !== null) {
      if (once.trim() === '') {
        throw new GwError('usage.invalid', 'nothing is asked', {
          hint: 'gw chat "Say hello.", or pipe the question in',
        })
      }
      await answer(messages, once, flags, send)
      return
    }
    io.err('/exit leaves\n')
    for (;;) {
      const line = await io.askLine('> ')
      if (line === null || line.trim() === '/exit') return
      if (line.trim() === '') continue
      const before = messages.length
      try {
        await answer(messages, line, flags, send)
      } catch (error) {
        // What one question came to is not the end of the talk; it is as if it had not been asked.
        if (io.signal.aborted || !isGwError(error) || error.code === 'cancelled') throw error
        messages.length = before
        reportError(io, error, false)
      }
    }
  }

  /** The words of a question; a `-` among them stands for what is piped in. */
  async function questionOf(words: readonly string[]): Promise<string> {
    if (!words.includes('-')) return words.join(' ')
    const piped = await io.readInput(largestInput)
    return words.map((word) => word === '-' ? piped : word).join(' ')
  }

  async function answer(messages: Message[], question: string, flags: ChatFlags, send: Send): Promise<void> {
    messages.push({ role: 'user', content: question })
    const response = await send('/v1/chat/completions', {
      ...(flags.model === undefined ? {} : { model: flags.model }),
      messages,
      stream: true,
      temperature: number('--temperature', flags.temperature),
      max_tokens: number('--max-tokens', flags.maxTokens),
    })
    if (!response.ok || !response.body) throw await refusal(response)
    const parser = sseParser()
    let text = ''
    for await (const chunk of response.body) {
      for (const { data } of parser.push(chunk)) {
        if (data === '[DONE]') continue
        const event = JSON.parse(data) as {
          error?: { message?: string; code?: string }
          choices?: { delta?: { content?: string } }[]
        }
        if (event.error) {
          const code = codeOfPublic(event.error.code) ?? 'upstream.failed'
          throw new GwError(code, event.error.message ?? 'the answer broke off', { hint: null })
        }
        const part = event.choices?.[0]?.delta?.content ?? ''
        text += part
        io.out(part.split('\n').map(printable).join('\n'))
      }
    }
    io.out('\n')
    messages.push({ role: 'assistant', content: text })
  }
}

/** A conversation is a client like any other: it has a token of its own, ended with the talk. */
async function withOwnToken<T>(
  access: Home['access'],
  flags: ChatFlags,
  work: (token: Secret) => Promise<T>,
): Promise<T> {
  const { operator } = await import('../../lib/access/mod.ts')
  const wanted = { label: 'gw chat', ttlMs: talkMs, account: flags.account ?? null }
  const { token, info } = await access.issue(wanted, operator)
  try {
    return await work(token)
  } finally {
    await access.revoke(info.id, operator)
  }
}

function number(flag: string, text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new GwError('usage.invalid', `${flag}: ${text} is no number`)
  return value
}

async function refusal(response: Response): Promise<GwError> {
  const body: unknown = await response.json().catch(() => null)
  const error = isObject(body) && isObject(body.error) ? body.error : {}
  const byStatus = { 401: 'access.missing', 404: 'model.not_found' } as const
  const code = codeOfPublic(error.code) ?? byStatus[response.status as 401] ?? 'upstream.failed'
  if (code === 'model.missing') {
    return new GwError(code, 'no model is named, and none is the default', {
      hint: 'gw chat -m MODEL, or for good: gw models set-default MODEL; the models: gw models list',
    })
  }
  // What a gateway says ends in what helps.
  return typeof error.message === 'string'
    ? new GwError(code, error.message, { hint: null })
    : new GwError(code, `the gateway answered ${response.status}`)
}
