import { isObject } from '../base/mod.ts'

/** What is found in a credential document of any of the known shapes. Times are epoch ms. */
export interface CredentialPayload {
  readonly accessToken: string | null
  readonly refreshToken: string | null
  readonly idToken: string | null
  readonly apiKey: string | null
  readonly expiresAt: number | null
  readonly accountId: string | null
  readonly scopes: readonly string[]
  readonly resourceUrl: string | null
  /** Keys that lead to the object that holds the tokens, from the top of the document. */
  readonly at: readonly string[]
}

const wrappers = [
  'claudeAiOauth',
  'claude_ai_oauth',
  'anthropicOauth',
  'anthropic_oauth',
  'oauth',
  'tokens',
  'credentials',
  'credential',
]
const accessNames = ['accessToken', 'access_token', 'oauthToken', 'oauth_token', 'access', 'token']
const refreshNames = ['refreshToken', 'refresh_token', 'refresh']
const idNames = ['idToken', 'id_token']
const keyNames = ['apiKey', 'api_key', 'OPENAI_API_KEY', 'key']
const expiryNames = ['expiresAt', 'expires_at', 'expiry_date', 'expiryDate', 'expires', 'expiry']
const accountNames = ['accountId', 'account_id', 'chatgpt_account_id']
const resourceNames = ['resource_url', 'resourceUrl']

function first<T>(document: Record<string, unknown>, names: readonly string[], read: (value: unknown) => T | null) {
  for (const name of names) {
    const value = read(document[name])
    if (value !== null) return value
  }
  return null
}

const text = (value: unknown): string | null => typeof value === 'string' && value.trim() !== '' ? value.trim() : null

/** Epoch ms from seconds, milliseconds or an RFC 3339 text. Later than year 2286 or not a time: `null`. */
export function readTime(value: unknown): number | null {
  const number = typeof value === 'number'
    ? value
    : typeof value === 'string' && /^\d+$/.test(value)
    ? Number(value)
    : NaN
  const ms = Number.isFinite(number)
    ? (number < 1e11 ? number * 1000 : number)
    : typeof value === 'string'
    ? Date.parse(value)
    : NaN
  return Number.isFinite(ms) && ms > 0 && ms < 1e13 ? Math.round(ms) : null
}

/**
 * Reads a login document of any known shape: snake or camel case, flat or wrapped, as Claude Code, Codex, Gemini, Qwen,
 * MiniMax, Link.Assistant.Router, token-plumber and Open LLM Auth write them. `null` when it holds no token and no key.
 */
export function readPayload(document: unknown): CredentialPayload | null {
  return readAt(document, [])
}

function readAt(document: unknown, at: readonly string[]): CredentialPayload | null {
  if (!isObject(document)) return null
  const apiKey = first(document, keyNames, text)
  // Codex keeps `OPENAI_API_KEY` beside `tokens`: the tokens are what a plan is paid for.
  for (const name of at.length < 3 ? wrappers : []) {
    const inner = readAt(document[name], [...at, name])
    if (inner && (inner.accessToken || inner.refreshToken)) return { ...inner, apiKey: inner.apiKey ?? apiKey }
  }
  const accessToken = first(document, accessNames, text)
  const refreshToken = first(document, refreshNames, text)
  if (accessToken === null && refreshToken === null && apiKey === null) return null
  const scopes = document.scopes ?? document.scope
  return {
    accessToken,
    refreshToken,
    idToken: first(document, idNames, text),
    apiKey,
    expiresAt: first(document, expiryNames, readTime),
    accountId: first(document, accountNames, text),
    scopes: Array.isArray(scopes)
      ? scopes.filter((scope): scope is string => typeof scope === 'string')
      : (text(scopes) ?? '').split(/\s+/).filter(Boolean),
    resourceUrl: first(document, resourceNames, text),
    at,
  }
}
