import { hopByHop, type Secret } from '../base/mod.ts'
import type { ReplyHeaders } from '../platform/mod.ts'

/** A header field as it goes on the wire: lower-case name, value. */
export type Field = readonly [name: string, value: string]

/** Header fields of a caller that an upstream may see, by name. Everything else stays here: keys, cookies, addresses. */
const forwarded = new Set([
  'accept',
  'accept-language',
  'content-type',
  'user-agent',
  'anthropic-version',
  'anthropic-beta',
  'anthropic-dangerous-direct-browser-access',
  'openai-beta',
  'idempotency-key',
  'originator',
  'version',
  'session-id',
  'session_id',
  'conversation_id',
  'conversation-id',
  'copilot-integration-id',
  'copilot-vision-request',
  'editor-plugin-version',
  'editor-version',
  'openai-intent',
  'thread-id',
  'x-app',
  'x-goog-api-client',
  'x-client-request-id',
  'x-github-api-version',
  'x-initiator',
  'x-session-affinity',
  'x-session-id',
  'x-openai-subagent',
  'x-oai-attestation',
  'http-referer',
  'x-title',
  'x-openrouter-title',
  'x-openrouter-categories',
])

/** Families of header fields that the official clients add to. */
const forwardedPrefixes = ['x-stainless-', 'x-claude-code-', 'x-codex-']

/** Fields of an MCP or raw API call that the pass-through surfaces carry as well. */
const rawForwarded = new Set([
  'last-event-id',
  'mcp-session-id',
  'mcp-protocol-version',
  'prefer',
  'if-match',
  'if-none-match',
  'range',
])

/**
 * The fields of a request that go upstream, lower-case, in their order. Built from a list of what may pass, so that a
 * credential in a header nobody thought of stays here.
 */
export function forwardHeaders(headers: Headers, options: { readonly raw?: boolean } = {}): Field[] {
  const out: Field[] = []
  headers.forEach((value, name) => {
    if (
      forwarded.has(name) || (name.charCodeAt(0) === 120 && forwardedPrefixes.some((prefix) => name.startsWith(prefix)))
    ) {
      out.push([name, value])
    } else if (options.raw && rawForwarded.has(name)) out.push([name, value])
  })
  return out
}

/** Fields of an answer that are between us and the upstream, or that only its own origin may say. */
const dropped = new Set<string>([
  ...hopByHop,
  'content-length',
  'content-encoding',
  'set-cookie',
  'set-cookie2',
  'www-authenticate',
  'alt-svc',
  'strict-transport-security',
  'public-key-pins',
  'report-to',
  'nel',
  'clear-site-data',
  'location',
  'refresh',
  'date',
])

/**
 * The fields of an upstream's answer that the caller gets: all but those of the connection and of the origin, and those
 * that repeat the credential it was sent.
 */
export function replyFields(headers: ReplyHeaders, credential: Secret | null): [string, string][] {
  const secret = credential?.reveal() ?? ''
  const named = headers.get('connection')
  const hop = named && named !== 'keep-alive' && named !== 'close'
    ? new Set(named.toLowerCase().split(',').map((name) => name.trim()))
    : null
  const out: [string, string][] = []
  headers.forEach((value, name) => {
    if (dropped.has(name) || name.startsWith('access-control-') || hop?.has(name)) return
    if (secret.length < 8 || !value.includes(secret)) out.push([name, value])
  })
  return out
}

/** The head of a refusal without the fields that repeat the credential that was refused. */
export function withoutCredential(headers: ReplyHeaders, credential: Secret): ReplyHeaders {
  const secret = credential.reveal()
  const told = (value: string): boolean => secret.length >= 8 && value.includes(secret)
  return {
    get(name) {
      const value = headers.get(name)
      return value === null || told(value) ? null : value
    },
    forEach: (visit) => headers.forEach((value, name) => told(value) || visit(value, name)),
  }
}

/** Sets a field, replacing what is there. */
export function setField(fields: Field[], name: string, value: string): void {
  const at = fields.findIndex(([other]) => other === name)
  if (at < 0) fields.push([name, value])
  else fields[at] = [name, value]
}

/** Adds a value to a comma-separated field once, behind what is there. */
export function addToList(fields: Field[], name: string, value: string): void {
  const at = fields.findIndex(([other]) => other === name)
  if (at < 0) return void fields.push([name, value])
  const list = fields[at]![1].split(',').map((item) => item.trim())
  if (!list.includes(value)) fields[at] = [name, [...list, value].join(',')]
}
