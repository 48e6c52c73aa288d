import { Buffer } from 'node:buffer'
import { isObject } from '../base/mod.ts'

/** A short one-way name of an identity: equal for equal identities, and nothing can be read from it. */
export function identityHash(...parts: readonly string[]): string {
  // Loaded here: few commands name an identity, and the module is a tenth of a start.
  const { createHash } = process.getBuiltinModule('node:crypto')
  return createHash('sha256').update(['gw identity v1', ...parts].join('\0')).digest('hex').slice(0, 24)
}

/** The claims of a JWT, unverified: good for naming whose token it is, never for trusting it. `null` when it is none. */
export function readClaims(token: string): Record<string, unknown> | null {
  const parts = token.split('.')
  if (parts.length !== 3 || token.length > 64 * 1024) return null
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1]!, 'base64url').toString('utf8'))
    return isObject(claims) ? claims : null
  } catch {
    return null
  }
}

/** Text of a claim, also of one nested in a namespace object. */
function claimText(claims: Record<string, unknown> | null, ...path: readonly string[]): string | null {
  let value: unknown = claims
  for (const step of path) value = isObject(value) ? value[step] : undefined
  return typeof value === 'string' && value !== '' ? value : null
}

/** Epoch ms at which a JWT says that it ends, or `null`. */
export function claimedExpiry(token: string): number | null {
  const exp = readClaims(token)?.exp
  return typeof exp === 'number' && Number.isFinite(exp) && exp > 0 ? exp * 1000 : null
}

/** Names whose token or key this is: the subject of a JWT, else the key itself; hashed. */
export function identityOf(token: string): string {
  const claims = readClaims(token)
  const account = claimText(claims, 'https://api.openai.com/auth', 'chatgpt_account_id')
  const user = claimText(claims, 'https://api.openai.com/auth', 'chatgpt_user_id') ?? claimText(claims, 'sub')
  if (account) return identityHash('chatgpt', account, user ?? '')
  const subject = claimText(claims, 'sub')
  return subject ? identityHash('jwt', claimText(claims, 'iss') ?? '', subject) : identityHash('key', token)
}

/** How a bare token is meant to be sent, by its shape: plan tokens and JWTs are no API keys. */
export function kindOf(token: string): 'api-key' | 'auth-token' {
  return /^(sk-ant-oat|eyJ[\w-]+\.|ya29\.|gho_|ghu_)/.test(token) ? 'auth-token' : 'api-key'
}
