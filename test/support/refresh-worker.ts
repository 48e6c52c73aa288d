/**
 * One process of the refresh tests. Reads one JSON line per round from its standard input and answers with one:
 * `{callers, binding}` or `{callers, path}` asks for that many tokens at once, of a login of the home or of a shared Codex
 * file.
 */
import { createInterface } from 'node:readline'
import { openLoginHome } from './login-home.ts'

const [folder, tokenUrl] = process.argv.slice(2) as [string, string]
const home = await openLoginHome({ folder, overrides: { chatgpt: { token_url: tokenUrl } } })
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  const { callers, path, binding } = JSON.parse(line) as { callers: number; path?: string; binding?: string }
  const ask = () =>
    path ? home.logins.readForeign('codex', path, {}) : home.logins.readLogin('chatgpt', binding ?? null, {})
  const results = await Promise.all(
    Array.from(
      { length: callers },
      () => ask().then((reading) => reading.secret.reveal(), (error) => `error: ${error.code} ${error.message}`),
    ),
  )
  process.stdout.write(`${JSON.stringify([...new Set(results)])}\n`)
}
await home.close()
