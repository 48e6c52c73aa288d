import type { RoutedPlan } from '../routing/mod.ts'
import type { FailureKind, Loss, ProtocolId, TokenCounts } from '../protocol/mod.ts'
import { estimateTokens, noTokens } from '../protocol/mod.ts'
import { type Clock, isObject, type Json, type JsonObject, type RequestId } from '../base/mod.ts'
import type { Target } from '../accounts/mod.ts'
import type { Attempt, Outcome, RequestRecord } from '../usage/mod.ts'
import type { Call } from './call.ts'
import type { Admission, Ask, Asked, Priced, Recorder, Rooms } from './seams.ts'

/** Who is told at the end of a request. */
export interface Closer {
  closed(): void
}

/** How a request ended. */
export interface LedgerEnd {
  readonly outcome: Outcome
  readonly status: number
  readonly error: string | null
  readonly tokens?: TokenCounts
  /** What the answer came to by gw's own guess; counts where the upstream has named nothing. */
  readonly guessedTokens?: number | null
  readonly responseBytes?: number
  readonly losses?: readonly Loss[]
  readonly session?: string | null
}

const none: readonly Closer[] = []

/** What has happened to a request so far; becomes its record. */
export class Ledger {
  readonly #clock: Clock
  readonly #recorder: Recorder
  readonly #id: RequestId
  /** When it came: epoch, and on the clock that never jumps. */
  readonly #cameAt: number
  readonly #cameMono: number
  readonly #surface: string
  readonly #protocol: ProtocolId | null
  readonly #client: string | null
  #closers: readonly Closer[] = none
  readonly attempts: Attempt[] = []
  /** When the first byte went to the caller, milliseconds after the request came. */
  firstByteMs: number | null = null
  #asked: Asked | null = null
  #plan: RoutedPlan | null = null
  #admission: Admission | null = null
  /** The target that is being tried. */
  #current: Target | null = null
  #last: Target | null = null
  /** When its try began: epoch, and on the clock that never jumps. */
  #at = 0
  #mono = 0
  #headMs: number | null = null
  #status: number | null = null
  #closed = false

  /** Keeps what the record will say and not the call itself: a stream may last for hours. */
  constructor(call: Call, { clock, recorder }: Rooms) {
    this.#clock = clock
    this.#recorder = recorder
    this.#id = call.id
    this.#cameAt = call.at
    this.#cameMono = call.startedAt
    this.#surface = call.surface
    this.#protocol = call.protocol
    this.#client = call.headers.get('user-agent')?.slice(0, 120) ?? null
  }

  /** Milliseconds since the try that is running began: what came before it is not this target's time. */
  get attemptMs(): number | null {
    return this.#current === null ? null : this.#clock.monotonic() - this.#mono
  }

  /** Its body has been read; one that never is was refused at the door. */
  asked({ principal, surface, capability, model, stream, body, headers }: Ask): void {
    const { json, bytes } = body
    const contentType = json ? null : headers.get('content-type')
    this.#asked = { principal: principal.id, surface, capability, model, stream, json, bytes, contentType }
  }

  /** Where it may go, and why. */
  planned(plan: RoutedPlan): void {
    this.#plan = plan
  }

  /** What was set aside for it, to be settled at its end. */
  admitted(admission: Admission | null): void {
    this.#admission = admission
  }

  /** Tells `closer` when the request is over. */
  onClose(closer: Closer): void {
    this.#closers = [...this.#closers, closer]
  }

  /** `closer` waits for nothing any more. */
  offClose(closer: Closer): void {
    this.#closers = this.#closers.filter((one) => one !== closer)
  }

  /** A try begins. */
  begin(target: Target): void {
    const clock = this.#clock
    this.#current = this.#last = target
    this.#at = clock.now()
    this.#mono = clock.monotonic()
    this.#headMs = null
    this.#status = null
  }

  /** The head of its answer is here. */
  head(status: number): void {
    if (this.#current === null) return
    this.#headMs = this.#clock.monotonic() - this.#mono
    this.#status = status
  }

  /** The try is over. */
  end(failure: { readonly kind: FailureKind; readonly message: string; readonly status?: number | null } | null): void {
    const target = this.#current
    if (target === null) return
    this.attempts.push({
      target: target.key,
      account: target.account,
      provider: target.provider,
      model: target.model,
      startedAt: this.#at,
      headMs: this.#headMs,
      durationMs: this.#clock.monotonic() - this.#mono,
      status: this.#status ?? failure?.status ?? null,
      failure: failure?.kind ?? null,
      message: failure?.message ?? null,
    })
    this.#current = null
  }

  /** The first byte goes to the caller. */
  firstByte(): void {
    this.firstByteMs ??= this.#clock.monotonic() - this.#cameMono
    this.#keepPlan()
  }

  /** The request is over. Records it, once. */
  close(end: LedgerEnd): void {
    if (this.#closed) return
    this.#closed = true
    const asked = this.#asked
    const recorder = this.#recorder
    const reported = end.tokens ?? noTokens
    const guessed = reported.outputTokens === null && end.guessedTokens ? guessedCounts(asked, end.guessedTokens) : null
    const served = end.outcome === 'denied' ? null : this.#last
    const record: Omit<RequestRecord, Priced> = {
      id: this.#id,
      at: this.#cameAt,
      principal: asked?.principal ?? ('' as RequestRecord['principal']),
      surface: this.#surface,
      clientProtocol: this.#protocol,
      requestedModel: asked?.model ?? null,
      model: served?.model ?? null,
      provider: served?.provider ?? null,
      account: served?.account ?? null,
      attempts: this.attempts,
      stream: asked?.stream ?? false,
      tokens: guessed ?? reported,
      estimated: guessed !== null,
      status: end.status,
      outcome: end.outcome,
      error: end.error,
      firstByteMs: this.firstByteMs,
      durationMs: this.#clock.monotonic() - this.#cameMono,
      requestBytes: asked?.bytes.length ?? 0,
      responseBytes: end.responseBytes ?? 0,
      losses: end.losses ?? [],
      session: end.session ?? null,
      client: this.#client,
    }
    this.#admission?.settle(record)
    if (asked) recorder.keep?.(asked, record)
    this.#keepPlan()
    recorder.record(record)
    for (const closer of this.#closers) closer.closed()
  }

  #keepPlan(): void {
    const plan = this.#plan
    if (plan === null) return
    this.#plan = null
    this.#recorder.planned?.(this.#id, plan)
  }
}

/** Counts for an answer whose upstream named none: only of a model's turn, which is what is paid by the token. */
function guessedCounts(asked: Asked | null, outputTokens: number): TokenCounts | null {
  if (!asked || asked.capability !== 'chat' || asked.surface === 'count_tokens' || !asked.json) return null
  const body = JSON.parse(new TextDecoder().decode(asked.bytes)) as Json
  return {
    ...noTokens,
    inputTokens: isObject(body) ? estimateTokens(body as JsonObject).inputTokens : null,
    outputTokens,
  }
}
