/**
 * Protocol: the wire formats that clients and upstreams speak.
 *
 * Owns the protocol ids, what each one's bodies, events, usage and failures mean, and the translation between them.
 * Knows no provider, no account and no socket: everything here is data in, data out. Start at {@link translator}.
 * @module
 */
export { estimateTokens } from './count.ts'
export { awsException, awsFrame, awsFrames } from './envelope/aws-event-stream.ts'
export {
  bedrockCountPath,
  bedrockPath,
  fromBedrock,
  fromBedrockCount,
  readBedrockPath,
  toBedrock,
  toBedrockCount,
} from './envelope/bedrock.ts'
export {
  fromGemini,
  type GeminiMethod,
  geminiPath,
  readGeminiPath,
  toGemini,
  vertexGeminiPrefix,
} from './envelope/gemini.ts'
export { fromVertex, readVertexPath, toVertex, vertexCountPath, vertexPath, vertexPrefix } from './envelope/vertex.ts'
export {
  type FailureKind,
  type FailureScope,
  type QuotaWindow,
  type UpstreamFailure,
  upstreamFailure,
} from './failure.ts'
export { type ProtocolId, protocolIds } from './id.ts'
export type { Loss } from './loss.ts'
export { middleOut } from './middle-out.ts'
export { stripReasoning } from './strip-reasoning.ts'
export { applyQuirks, mayEdit, quirkNames } from './quirks.ts'
export { packedMarks } from './reasoning.ts'
export { continueTurn, responseOfEvent, type ResponseStore, type StoredTurn, turnOf } from './store.ts'
export { type Aggregator, refuseLosses, type TranslatedResponse, type Translator, translator } from './translate.ts'
export type { TranslatedStream } from './translated-stream.ts'
export { noTokens, type TokenCounts } from './usage.ts'
export { responseId } from './openai-responses/echo.ts'
export { type EventReader, type EventScanner, eventScanner } from './wire/event-scanner.ts'
export { parseSpan, scanFields, type Span, splice } from './wire/json-fields.ts'
export { boundaryOf, scanForm } from './wire/multipart.ts'
export type { Continuation, OwnStream } from './wire/own-stream.ts'
export { transcriptionWire } from './wire/openai-transcription.ts'
export { wires } from './wire/registry.ts'
export type { EventRole, StreamFailure, StreamTracker, Wire } from './wire/wire.ts'
