/**
 * Base: the values every other room speaks in.
 *
 * Owns errors and their codes, secrets, ids, time, JSON, event streams, back-off and logging. Knows no provider, no
 * runtime and no I/O. Start at {@link GwError}: its code table is how gw fails on every surface.
 * @module
 */
export { invariant } from './assert.ts'
export { type ByteSink, type ByteSource, concat, readAll, readHead, sourceOf, streamOf } from './bytes.ts'
export { type Clock, systemClock } from './clock.ts'
export { type Downstream, type DownstreamOwner, type OpenDownstream, openDownstream } from './downstream.ts'
export { type ErrorCode, errorCodes, GwError, isGwError, toGwError } from './error.ts'
export { isFlag, isListOf, isNumber, isNumberOrNull, isOneOf, isText, isTextOrNull, type Test } from './fits.ts'
export { hopByHop } from './hop-by-hop.ts'
export { type AccountId, type Branded, newId, type PrincipalId, type RequestId, type TokenId } from './id.ts'
export { issueText } from './issue.ts'
export { canonicalJson, isObject, type Json, type JsonObject, parseJson, parseJsonObject } from './json.ts'
export { type FieldType, fieldType, schemaType, type TypedSchema } from './json-schema.ts'
export { cutCredential, jsonLogger, type Logger, type LogLevel, redact, redactFields, silentLogger } from './log.ts'
export { editDistance, nearest } from './nearest.ts'
export { inTurn } from './in-turn.ts'
export { once } from './once.ts'
export { backoffMs, longestWaitMs, parseRetryAfter } from './retry.ts'
export { Secret } from './secret.ts'
export { codeOfPublic, publicCode } from './public-code.ts'
export { singleFlight } from './single-flight.ts'
export { formatSse, type SseEvent, sseParser } from './sse.ts'
export { type Bound, type Pattern, readShape, type Shape } from './shape.ts'
export { createTicker, type Ticker, type Watcher } from './ticker.ts'
export { isTimeZone } from './time-zone.ts'
