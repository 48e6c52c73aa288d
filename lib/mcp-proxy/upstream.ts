import type { Credential } from '../credentials/mod.ts'
import { type Clock, GwError, isGwError, type Logger } from '../base/mod.ts'
import type { TargetEvidence } from '../liveness/mod.ts'
import { checkAudience } from './audience.ts'
import type { McpServerConfig } from './config.ts'
import { evidenceOf, evidenceOfError } from './evidence.ts'

/** The guarded way out, as this room needs it. Redirects are not followed. */
export type McpFetch = (request: {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body: string | null
  readonly signal: AbortSignal
  /** Whether the owner named this exact origin as one on this machine or network. */
  readonly local: boolean
}) => Promise<Response>

/** Where credentials of servers come from. */
export interface McpCredentials {
  /**
   * What proves gw to a server, refreshed if it is near its end: that of the account its config names, else that of the
   * login made for it. `null` when there is neither.
   *
   * @param force the server has refused what was given before
   */
  get(server: string, account: string | null, force: boolean): Promise<Credential | null>
}

/** Takes what the use of a server showed; its target is `server:account#mcp`. */
export type McpObserver = (
  target: { readonly provider: string; readonly account: string },
  evidence: TargetEvidence,
) => void

/** Headers of a client that a server gets to see. Everything else stays here, the client's token first of all. */
const forwarded = ['accept', 'content-type', 'mcp-session-id', 'mcp-protocol-version', 'last-event-id']

/** Headers of a server that a client gets to see. */
export const returned = ['content-type', 'mcp-session-id', 'mcp-protocol-version', 'retry-after']

/** One HTTP tool server: its address, its fixed headers and its credential. */
export interface HttpServerLink {
  /** Sends one request; after a 401 it refreshes the credential and asks once more. */
  send(request: { method: string; headers: Headers; body: string | null; signal: AbortSignal }): Promise<Response>
}

/** A link to `server`, whose settings are read at each request so that a reload is felt. */
export function httpServerLink(
  name: string,
  server: () => McpServerConfig,
  { fetch, credentials, env, logger, clock, observe }: {
    fetch: McpFetch
    credentials: McpCredentials
    env: (name: string) => string | undefined
    logger: Logger
    clock: Clock
    observe: McpObserver
  },
): HttpServerLink {
  type Attempt = { readonly reply: Response; readonly proved: boolean }

  async function attempt(request: Parameters<HttpServerLink['send']>[0], force: boolean): Promise<Attempt> {
    const config = server()
    const url = new URL(config.url!)
    const headers = new Headers()
    for (const header of forwarded) {
      const value = request.headers.get(header)
      if (value !== null) headers.set(header, value)
    }
    headers.set('accept-encoding', 'identity')
    headers.set('user-agent', 'gw')
    for (const [header, value] of Object.entries(config.headers)) headers.set(header, expand(value, env, name))
    const credential = config.auth.type === 'none' ? null : await credentials.get(name, config.account ?? null, force)
    if (credential && config.auth.type !== 'none') {
      const verdict = checkAudience(credential, url, {
        whose: config.account ? `the credential of account ${config.account}` : `the login of ${name}`,
        hint: `log in for this server: gw auth login mcp ${name}`,
      })
      if (verdict === 'unnamed') logger.log('debug', 'mcp.audience_unnamed', { server: name })
      const secret = credential.secret.reveal()
      if (config.auth.type === 'bearer') headers.set('authorization', `Bearer ${secret}`)
      else headers.set(config.auth.name, config.auth.prefix + secret)
    }
    const { method, body, signal } = request
    const reply = await fetch({ url, method, headers, body, signal, local: config.local })
    return { reply, proved: credential !== null }
  }

  async function send(request: Parameters<HttpServerLink['send']>[0]): Promise<Response> {
    const { reply, proved } = await attempt(request, false)
    if (reply.status !== 401 || !proved) return reply
    await reply.body?.cancel().catch(() => {})
    logger.log('info', 'mcp.credential_refused', { server: name })
    return (await attempt(request, true)).reply
  }

  return {
    async send(request) {
      const target = { provider: name, account: server().account ?? name }
      try {
        const reply = await send(request)
        observe(target, evidenceOf(reply, clock.now()))
        return reply
      } catch (error) {
        // A caller that leaves, and what fails on this side, say nothing about the server.
        const local = isGwError(error) && /^(credential|secret|egress)\./.test(error.code)
        if (!request.signal.aborted && !local) observe(target, evidenceOfError(error))
        throw error
      }
    },
  }
}

/** Text with `${NAME}` replaced from the environment. */
export function expand(text: string, env: (name: string) => string | undefined, server: string): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (_, variable: string) => {
    const value = env(variable)
    if (value === undefined) {
      throw new GwError('secret.unavailable', `mcp server ${server}: the environment has no ${variable}`, {
        hint: `set ${variable} where gw starts`,
      })
    }
    return value
  })
}
