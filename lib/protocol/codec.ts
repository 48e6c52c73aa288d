import type { JsonObject, SseEvent } from '../base/mod.ts'
import type { InferenceEvent, InferenceResponse } from './event.ts'
import type { UpstreamFailure } from './failure.ts'
import type { ProtocolId } from './id.ts'
import type { Carried, Frame } from './reframe.ts'
import type { Ledger } from './ledger.ts'
import type { InferenceRequest } from './request.ts'
import type { ToolIds, ToolNames } from './tools.ts'

/** What an encoder of requests needs besides the request. */
export interface EncodeOptions {
  /** The upstream's name of the model. */
  readonly model: string
  readonly ledger: Ledger
  readonly names: ToolNames
  readonly ids: ToolIds
  readonly quirks: ReadonlySet<string>
  /** The most the model can write, when the catalogue knows. */
  readonly maxOutputTokens: number | null
  /** Whether to mark the prompt for caching when the caller could not. */
  readonly autoCache: boolean
}

/** What every answer to one caller repeats. */
export interface Call {
  /** Unique, `[0-9a-z]+`: the stem of every id in the answer. */
  readonly id: string
  /** Epoch seconds. */
  readonly createdAt: number
  /** As the caller wrote it. */
  readonly model: string
  /** Who answers: native things of its protocol re-emerge only there. */
  readonly upstream: ProtocolId
  readonly request: InferenceRequest
  /** The caller's own body, for answers that repeat parts of it. */
  readonly body: JsonObject
}

/** A whole answer read, or the failure it turned out to be. */
export type DecodedResponse =
  | { readonly ok: true; readonly response: InferenceResponse }
  | { readonly ok: false; readonly failure: UpstreamFailure }

/** Reads an upstream's event stream: events in, neutral events out. After a `failure` or a `finish` it says no more. */
export interface StreamDecoder {
  push(event: SseEvent, out: InferenceEvent[]): void
  /**
   * What stands around the words of the last event, where the next one with the same around its own is more of the same
   * part. The same object for as long as that holds; `null` where it does not.
   */
  readonly frame?: Frame | null
  /** The number of the last event, where events are numbered. */
  readonly number?: number
  /** Events in the {@link StreamDecoder.frame} went past. */
  carried?(carried: Carried): void
  /** The upstream closed. Says `finish` if all needed for one was there, else a `truncated` failure. */
  end(out: InferenceEvent[]): void
}

/** Writes a client's event stream: neutral events in, wire text out. */
export interface StreamEncoder {
  /** The wire text of an event; empty when it says nothing in this protocol. */
  write(event: InferenceEvent): string
  /** What {@link StreamEncoder.write} puts around the words of a delta of this part; `null` where they differ in more. */
  frame?(part: number): Frame | null
  /** The number of the next event, where events are numbered. */
  readonly number?: number
  /** Words of this part have gone out in its frame. */
  carried?(part: number, carried: Carried): void
  /** A data-bearing sign of life that is legal at this point; opens the stream if it is not open. */
  keepAlive(): string
}

/**
 * A wire format, as its folder implements it: the schema, the request, the whole answer, the stream and the failure, each in
 * a file, or in a folder with a file for each direction.
 */
export interface Protocol {
  readonly id: ProtocolId
  /**
   * A caller's body in neutral form.
   *
   * @throws GwError `request.invalid` with the JSON path as `param`
   */
  decodeRequest(body: JsonObject): InferenceRequest
  /** An upstream's body; what it could not say is in the ledger. */
  encodeRequest(request: InferenceRequest, options: EncodeOptions): JsonObject
  /** An upstream's whole answer in neutral form. Ids it lacks are made from `stem`. */
  decodeResponse(body: unknown, stem: string): DecodedResponse
  /** A whole answer for the caller; what it could not say is added to `lose`. */
  encodeResponse(response: InferenceResponse, call: Call, lose: Lose): JsonObject
  streamDecoder(stem: string): StreamDecoder
  streamEncoder(call: Call, lose: Lose): StreamEncoder
  /** What an upstream's error body says. */
  decodeFailure(status: number | null, body: unknown): UpstreamFailure
  /** The body of an error answer to a caller of this protocol. */
  encodeFailure(failure: UpstreamFailure): JsonObject
}

/** Takes down what an answer could not carry. */
export type Lose = (path: string, reason: string) => void
