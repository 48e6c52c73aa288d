import { TRPCError } from '@trpc/server'
import { type ErrorCode, errorCodes, GwError, isGwError, issueText, toGwError } from '../base/mod.ts'

type TrpcCode = TRPCError['code']

/** The tRPC code that stands for a status. Every status of {@link errorCodes} is here; a test says so. */
const codeOfStatus: Readonly<Record<number, TrpcCode>> = {
  400: 'BAD_REQUEST',
  401: 'UNAUTHORIZED',
  402: 'PAYMENT_REQUIRED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_SUPPORTED',
  408: 'TIMEOUT',
  409: 'CONFLICT',
  412: 'PRECONDITION_FAILED',
  413: 'PAYLOAD_TOO_LARGE',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  426: 'BAD_REQUEST',
  429: 'TOO_MANY_REQUESTS',
  431: 'PAYLOAD_TOO_LARGE',
  499: 'CLIENT_CLOSED_REQUEST',
  500: 'INTERNAL_SERVER_ERROR',
  501: 'NOT_IMPLEMENTED',
  502: 'BAD_GATEWAY',
  503: 'SERVICE_UNAVAILABLE',
  504: 'GATEWAY_TIMEOUT',
}

/** The same error for tRPC; the original is its cause. */
export function toTrpc(error: GwError): TRPCError {
  const code = codeOfStatus[error.status] ?? 'INTERNAL_SERVER_ERROR'
  return new TRPCError({ code, message: error.message, cause: error })
}

/** Any error that left an operation, as ours: a refused input becomes `request.invalid` and names its first field. */
export function fromTrpc(error: unknown): GwError {
  if (isGwError(error)) return error
  const cause = error instanceof Error ? error.cause : undefined
  if (isGwError(cause)) return cause
  if (error instanceof TRPCError) {
    if (error.code === 'BAD_REQUEST' && isZodError(cause)) return invalidInput(cause)
    if (error.code === 'NOT_FOUND') return new GwError('request.not_found', error.message, { cause: error })
    if (error.code === 'INTERNAL_SERVER_ERROR') {
      return new GwError('internal', isZodError(cause) ? 'an answer did not fit its schema' : error.message, {
        cause: error,
      })
    }
    const [code] = Object.entries(errorCodes).find(([, row]) => codeOfStatus[row.status] === error.code) ?? ['internal']
    return new GwError(code as ErrorCode, error.message, { cause: error })
  }
  return toGwError(error)
}

interface PlainIssue {
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly code: string
  readonly keys?: readonly string[]
}

/** Told by shape: two copies of zod may meet in one process. */
function isZodError(value: unknown): value is { issues: readonly PlainIssue[] } {
  return value instanceof Error && Array.isArray((value as { issues?: unknown }).issues)
}

function invalidInput(error: { issues: readonly PlainIssue[] }): GwError {
  const issues = error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' && issue.keys
      ? issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), reason: 'unknown field' }))
      : [{ path: issue.path.join('.'), reason: issueText(issue.message) }]
  )
  const text = issues.map(({ path, reason }) => path === '' ? reason : `${path}: ${reason}`).join('; ')
  const param = issues[0]?.path
  return new GwError('request.invalid', text, { ...(param ? { param } : {}), details: { issues } })
}
