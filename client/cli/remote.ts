import { type ErrorCode, errorCodes, GwError, isObject, Secret } from '../../lib/base/mod.ts'
import type { OperationDescription } from '../../lib/operations/mod.ts'

/** A gateway at a URL, driven with a token. */
export interface Remote {
  readonly url: URL
  readonly token: Secret | null
}

/** How long an operation may take. */
const operationMs = 120_000

/**
 * Runs an operation at a running gateway.
 *
 * @throws GwError as the operation there did; `upstream.unreachable` when nothing answers
 */
export async function callRemote(
  { url, token }: Remote,
  operation: Pick<OperationDescription, 'name' | 'kind'>,
  input: object,
  signal: AbortSignal,
): Promise<unknown> {
  const at = new URL(`api/${operation.name.split('.').map(encodeURIComponent).join('/')}`, withSlash(url))
  const headers: Record<string, string> = { accept: 'application/json' }
  if (token) headers.authorization = `Bearer ${token.reveal()}`
  const query = operation.kind === 'query'
  if (query) {
    for (const [name, value] of Object.entries(input)) {
      at.searchParams.set(name, typeof value === 'string' ? value : JSON.stringify(value))
    }
  } else headers['content-type'] = 'application/json'
  let answer: Response
  try {
    answer = await fetch(at, {
      method: query ? 'GET' : 'POST',
      headers,
      body: query ? null : JSON.stringify(input),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(operationMs)]),
    })
  } catch (cause) {
    signal.throwIfAborted()
    throw new GwError('upstream.unreachable', `no gateway answers at ${url.origin}`, {
      hint: 'start one with: gw serve; or leave --url out to work on this home itself',
      cause,
    })
  }
  const body = await readJson(answer)
  if (answer.ok) return body
  throw problemOf(answer.status, body)
}

const withSlash = (url: URL): URL => url.pathname.endsWith('/') ? url : new URL(`${url.href.replace(/[?#].*$/, '')}/`)

async function readJson(answer: Response): Promise<unknown> {
  const text = await answer.text()
  try {
    return JSON.parse(text)
  } catch {
    throw new GwError('upstream.invalid', `the answer of ${answer.url} (${answer.status}) is not JSON`, {
      hint: 'is that a gw?',
    })
  }
}

/** The error that a problem+json document describes. */
function problemOf(status: number, body: unknown): GwError {
  if (isObject(body) && typeof body.title === 'string' && body.title in errorCodes) {
    return new GwError(body.title as ErrorCode, String(body.detail ?? body.title), {
      ...(typeof body.hint === 'string' ? { hint: body.hint } : {}),
      ...(typeof body.param === 'string' ? { param: body.param } : {}),
      ...(isObject(body.details) ? { details: body.details } : {}),
    })
  }
  const [code] = Object.entries(errorCodes).find(([, row]) => row.status === status) ?? ['upstream.failed']
  return new GwError(code as ErrorCode, `the gateway answered ${status}`)
}

/**
 * A token as the command line names it: `env:NAME`, `file:PATH`, `-` for standard input, or itself.
 *
 * A token on the command line can be read by every process of this machine, so it is reported.
 */
export async function readToken(
  text: string,
  { env, readInput, warn }: {
    env: Readonly<Record<string, string | undefined>>
    readInput: () => Promise<string>
    warn: (text: string) => void
  },
): Promise<Secret> {
  if (text === '-') return new Secret((await readInput()).trim())
  if (text.startsWith('env:')) {
    const value = env[text.slice(4)]
    if (!value) {
      throw new GwError('secret.unavailable', `environment variable ${text.slice(4)} is not set`, {
        hint: `export ${text.slice(4)}=la_sk_…; a token is made by gw tokens issue`,
      })
    }
    return new Secret(value)
  }
  if (text.startsWith('file:')) {
    const { readBounded } = await import('../../lib/platform/mod.ts')
    const content = await readBounded(text.slice(5), 64 * 1024)
    if (content === null) throw new GwError('secret.unavailable', `there is no file ${text.slice(5)}`)
    return new Secret(content.trim())
  }
  warn('a token on the command line can be seen by other programs; use GW_TOKEN or --token env:NAME')
  return new Secret(text)
}
