/**
 * The one error class, and the one table that says what each code means on every surface.
 *
 * Errors are told apart by `code`, never by `instanceof`: two copies of this module may meet in one process.
 */

interface CodeRow {
  /** HTTP status of an answer that carries this error. */
  readonly status: number
  /** Process exit code of a command that ends with it. */
  readonly exit: 0 | 1 | 2 | 130 | 200 | 201 | 202 | 203 | 204
  /** `error.type` in an OpenAI-shaped body. */
  readonly openai: string
  /** `error.type` in an Anthropic-shaped body. */
  readonly anthropic: string
}

const row = (status: number, exit: CodeRow['exit'], openai: string, anthropic: string): CodeRow => ({
  status,
  exit,
  openai,
  anthropic,
})

/**
 * Every code gw can raise: its HTTP status, exit code and type in both error dialects.
 *
 * @see https://platform.openai.com/docs/guides/error-codes
 * @see https://docs.anthropic.com/en/api/errors
 */
export const errorCodes = {
  // the caller's request
  'request.invalid': row(400, 2, 'invalid_request_error', 'invalid_request_error'),
  'request.too_large': row(413, 2, 'invalid_request_error', 'request_too_large'),
  'request.headers_too_large': row(431, 2, 'invalid_request_error', 'invalid_request_error'),
  'request.timeout': row(408, 1, 'invalid_request_error', 'invalid_request_error'),
  'request.method_not_allowed': row(405, 2, 'invalid_request_error', 'invalid_request_error'),
  'request.upgrade_required': row(426, 2, 'invalid_request_error', 'invalid_request_error'),
  'request.media_type': row(415, 2, 'invalid_request_error', 'invalid_request_error'),
  'request.conflict': row(409, 1, 'invalid_request_error', 'invalid_request_error'),
  'request.stale': row(412, 1, 'invalid_request_error', 'invalid_request_error'),
  'request.not_found': row(404, 1, 'invalid_request_error', 'not_found_error'),
  'request.lossy': row(400, 2, 'invalid_request_error', 'invalid_request_error'),
  'request.unsupported': row(400, 2, 'invalid_request_error', 'invalid_request_error'),
  'usage.invalid': row(400, 2, 'invalid_request_error', 'invalid_request_error'),
  // who is calling
  'access.missing': row(401, 1, 'authentication_error', 'authentication_error'),
  'access.invalid': row(401, 1, 'authentication_error', 'authentication_error'),
  'access.expired': row(401, 1, 'authentication_error', 'authentication_error'),
  'access.revoked': row(403, 1, 'authentication_error', 'authentication_error'),
  'access.scope': row(403, 1, 'permission_error', 'permission_error'),
  'access.denied': row(403, 1, 'permission_error', 'permission_error'),
  'access.approval_required': row(403, 1, 'permission_error', 'permission_error'),
  'access.rate_limited': row(429, 1, 'rate_limit_error', 'rate_limit_error'),
  'access.budget_spent': row(429, 1, 'insufficient_quota', 'rate_limit_error'),
  'access.origin': row(403, 1, 'permission_error', 'permission_error'),
  'payment.required': row(402, 1, 'payment_required', 'payment_required'),
  // where it should go
  'model.missing': row(400, 2, 'invalid_request_error', 'invalid_request_error'),
  'model.not_found': row(404, 1, 'invalid_request_error', 'not_found_error'),
  'route.none': row(503, 201, 'service_unavailable_error', 'api_error'),
  'route.no_account': row(404, 201, 'invalid_request_error', 'not_found_error'),
  'route.filtered': row(503, 201, 'service_unavailable_error', 'api_error'),
  'route.exhausted': row(429, 201, 'rate_limit_error', 'rate_limit_error'),
  'scope.invalid': row(400, 200, 'invalid_request_error', 'invalid_request_error'),
  'provider.not_found': row(404, 1, 'invalid_request_error', 'not_found_error'),
  'account.not_found': row(404, 1, 'invalid_request_error', 'not_found_error'),
  // what we send with it
  'secret.unavailable': row(503, 202, 'server_error', 'api_error'),
  'secret.locked': row(503, 202, 'server_error', 'api_error'),
  'secret.corrupt': row(503, 202, 'server_error', 'api_error'),
  'credential.unavailable': row(503, 202, 'server_error', 'api_error'),
  'credential.expired': row(503, 203, 'server_error', 'api_error'),
  'credential.refresh_failed': row(503, 203, 'server_error', 'api_error'),
  'credential.login_required': row(503, 203, 'server_error', 'api_error'),
  'credential.audience': row(500, 1, 'server_error', 'api_error'),
  'login.denied': row(403, 1, 'permission_error', 'permission_error'),
  'login.timeout': row(408, 1, 'invalid_request_error', 'invalid_request_error'),
  'login.failed': row(502, 1, 'server_error', 'api_error'),
  // the far side
  'egress.denied': row(403, 204, 'permission_error', 'permission_error'),
  'upstream.unreachable': row(502, 204, 'api_error', 'api_error'),
  'upstream.timeout': row(504, 204, 'api_error', 'api_error'),
  'upstream.invalid': row(502, 1, 'api_error', 'api_error'),
  'upstream.failed': row(502, 1, 'api_error', 'api_error'),
  'upstream.overloaded': row(503, 1, 'api_error', 'overloaded_error'),
  'upstream.rate_limited': row(429, 1, 'rate_limit_error', 'rate_limit_error'),
  // our own house
  'config.invalid': row(500, 200, 'server_error', 'api_error'),
  // a change of the config that its asker made wrong; the file that is there is fine
  'config.rejected': row(400, 200, 'invalid_request_error', 'invalid_request_error'),
  'config.unreadable': row(500, 200, 'server_error', 'api_error'),
  'storage.corrupt': row(503, 200, 'server_error', 'api_error'),
  'storage.newer': row(503, 200, 'server_error', 'api_error'),
  'storage.busy': row(503, 1, 'server_error', 'api_error'),
  'storage.failed': row(503, 1, 'server_error', 'api_error'),
  'audit.failed': row(503, 1, 'server_error', 'api_error'),
  'server.port_in_use': row(500, 1, 'server_error', 'api_error'),
  'server.not_started': row(500, 1, 'server_error', 'api_error'),
  'server.draining': row(503, 1, 'service_unavailable_error', 'overloaded_error'),
  'server.overloaded': row(503, 1, 'service_unavailable_error', 'overloaded_error'),
  'platform.unsupported': row(501, 1, 'server_error', 'api_error'),
  // given up by who asked, as by Ctrl-C
  'cancelled': row(499, 130, 'server_error', 'api_error'),
  'internal': row(500, 1, 'server_error', 'api_error'),
} as const satisfies Record<string, CodeRow>

/** A dotted, stable name of what went wrong. */
export type ErrorCode = keyof typeof errorCodes

/**
 * What helps, for a reader whose error has no hint of its own. `null` where the message says what is wanted: codes whose
 * every message names the field, the flag or the place at fault and what it takes.
 */
const remedies: Readonly<Record<ErrorCode, string | null>> = {
  'request.invalid': null,
  'request.too_large': 'send less at once',
  'request.headers_too_large': 'send fewer or shorter headers',
  'request.timeout': 'send it again, without a pause in it',
  'request.method_not_allowed': null,
  'request.upgrade_required': 'open it as a WebSocket, or leave that to the client',
  'request.media_type': null,
  'request.conflict': 'choose another name, or change what is there',
  'request.stale': 'read it again, then make the change anew',
  'request.not_found': 'GET /docs shows every path, gw --help every command',
  'request.lossy': 'leave out what it names, or do without strict',
  'request.unsupported': 'use another model, provider or path for it',
  'usage.invalid': 'the same command with --help says what it takes',
  'access.missing': 'send a token; gw tokens issue makes one',
  'access.invalid': 'send a token of this gateway; gw tokens issue makes one',
  'access.expired': 'gw tokens issue makes a new one',
  'access.revoked': 'gw tokens issue makes a new one',
  'access.scope': 'ask for a token with that scope',
  'access.denied': 'ask the owner of this gateway',
  'access.approval_required': 'a person says yes or no: gw approvals list',
  'access.rate_limited': 'wait a moment, then ask again',
  'access.budget_spent': 'wait for the next window, or ask for a larger budget',
  'access.origin': 'open the page of this gateway itself',
  'payment.required': 'pay as the answer says, or send a token',
  'model.missing': 'name a model; gw models list shows them',
  'model.not_found': 'gw models list shows what there is',
  'route.none': 'gw route explain MODEL says why',
  'route.no_account': 'gw accounts add PROVIDER',
  'route.filtered': 'allow more providers, or ask for less',
  'route.exhausted': 'wait until one is free again: gw quota says when',
  'scope.invalid': 'gw stay-afloat accounts shows what can be named',
  'provider.not_found': 'gw providers list shows what there is',
  'account.not_found': 'gw accounts list shows what there is',
  'secret.unavailable': 'gw doctor looks at where the secrets are',
  'secret.locked': 'unlock the keychain of this machine, or keep the secret elsewhere',
  'secret.corrupt': 'put the secret in again',
  'credential.unavailable': 'gw accounts check ACCOUNT reads it again',
  'credential.expired': 'log in again: gw auth login VENDOR',
  'credential.refresh_failed': 'ask again in a moment; if it stays so, log in again: gw auth login VENDOR',
  'credential.login_required': 'gw auth login VENDOR',
  'credential.audience': 'bind the account to that origin with base_url',
  'login.denied': 'log in again and allow it',
  'login.timeout': 'begin again: gw auth login VENDOR',
  'login.failed': 'begin again: gw auth login VENDOR',
  'egress.denied': 'egress.allow_origins names private addresses that may be used',
  'upstream.unreachable': 'look whether the network is up, and at the address: gw doctor',
  'upstream.timeout': 'ask again; gw why says where the time went',
  'upstream.invalid': 'ask again; gw why says who answered so',
  'upstream.failed': 'ask again; gw why says what was said',
  'upstream.overloaded': 'ask again in a moment',
  'upstream.rate_limited': 'wait a moment, then ask again',
  'config.invalid': 'mend that place; gw config validate checks the whole',
  'config.rejected': null,
  'config.unreadable': 'name a file that is there and that you may read',
  'storage.corrupt': 'restore the database from a copy',
  'storage.newer': 'use the newer gw that wrote it',
  'storage.busy': 'another process is writing: ask again in a moment',
  'storage.failed': 'look at the disk: is it full, may gw write there?',
  'audit.failed': 'without its record a change is not made: gw doctor looks at the database',
  'server.port_in_use': 'gw serve --port takes another',
  'server.not_started': 'gw serve shows in the terminal why',
  'server.draining': 'ask again when it is up',
  'server.overloaded': 'ask again in a moment',
  'platform.unsupported': 'use another runtime or system for this',
  'cancelled': null,
  'internal': 'this is a fault of gw: gw report makes a report to pass on',
}

/** What a {@link GwError} carries besides its sentence. */
export interface GwErrorOptions {
  /**
   * What the reader can do about it; one line, often a command. Absent: what {@link remedies} says of the code. `null`:
   * nothing, where the message is somebody else's and says it already.
   */
  readonly hint?: string | null
  /** The request field at fault, as a JSON path. */
  readonly param?: string
  /** Milliseconds after which asking again can help. */
  readonly retryAfterMs?: number
  /** Safe facts for machines: never a secret, never an upstream body. */
  readonly details?: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

/**
 * Something a caller can act on. The message is lower case, says what was being done and to what, and holds no secret.
 *
 * @example throw new GwError('account.not_found', `no account ${id}`, { hint: 'gw accounts list' })
 */
export class GwError extends Error {
  override readonly name = 'GwError'
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly param: string | undefined
  readonly retryAfterMs: number | undefined
  readonly details: Readonly<Record<string, unknown>> | undefined

  constructor(code: ErrorCode, message: string, options: GwErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = (options.hint === undefined ? remedies[code] : options.hint) ?? undefined
    this.param = options.param
    this.retryAfterMs = options.retryAfterMs
    this.details = options.details
  }

  /** HTTP status of this error. */
  get status(): number {
    return errorCodes[this.code].status
  }

  /** Exit code of a command that ends with this error. */
  get exit(): number {
    return errorCodes[this.code].exit
  }
}

/** Whether a caught value is ours, by its code and not by its class. */
export function isGwError(value: unknown): value is GwError {
  return value instanceof Error && value.name === 'GwError' && (value as { code?: string }).code! in errorCodes
}

/** Any caught value as a {@link GwError}; what is not ours becomes `internal` with the original as cause. */
export function toGwError(value: unknown): GwError {
  if (isGwError(value)) return value
  if (value instanceof Error && value.name === 'AbortError') {
    return new GwError('cancelled', 'cancelled', { cause: value })
  }
  return new GwError('internal', value instanceof Error ? value.message : String(value), { cause: value })
}
