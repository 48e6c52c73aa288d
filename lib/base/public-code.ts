import { type ErrorCode, errorCodes } from './error.ts'

/** Codes that callers of older gateways and of the vendors match on; the rest is the dotted code with underscores. */
const wellKnown: Partial<Record<ErrorCode, string>> = {
  'access.missing': 'invalid_api_key',
  'access.invalid': 'invalid_api_key',
  'access.expired': 'token_expired',
  'access.revoked': 'token_revoked',
  'access.scope': 'insufficient_scope',
  'access.rate_limited': 'rate_limit_exceeded',
  'access.budget_spent': 'insufficient_quota',
  'egress.denied': 'egress_destination_blocked',
  'model.missing': 'missing_required_parameter',
  'request.too_large': 'request_too_large',
  'route.no_account': 'provider_resolution_failed',
}

/** `error.code` in an OpenAI-shaped body. */
export function publicCode(code: ErrorCode): string {
  return wellKnown[code] ?? code.replace('.', '_')
}

/** The code that an OpenAI-shaped body of a gateway means; `null` for one of somebody else's. */
export function codeOfPublic(text: unknown): ErrorCode | null {
  const codes = Object.keys(errorCodes) as ErrorCode[]
  return codes.find((code) => publicCode(code) === text) ?? null
}
