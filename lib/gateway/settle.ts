import type { RoutedPlan } from '../routing/mod.ts'
import type { FailureKind, Loss, TokenCounts } from '../protocol/mod.ts'
import { estimateTokens, noTokens } from '../protocol/mod.ts'
import { isObject, type Json, type JsonObject } from '../base/mod.ts'
import type { Target } from '../accounts/mod.ts'
import type { Attempt, Outcome, RequestRecord } from '../usage/mod.ts'
import type { Call } from './call.ts'
import type { Admission, Ask, Priced, Rooms } from './seams.ts'

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

/** What has happened to a request so far; becomes its record. */
export class Ledger {
  readonly #call: Call
  readonly #rooms: Rooms
  readonly #closers: (() => void)[] = []
  readonly attempts: Attempt[] = []
  /** When the first byte went to the caller, milliseconds after the request came. */
  firstByteMs: number | null = null
  #ask: Ask | null = null
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

  constructor(call: Call, rooms: Rooms) {
    this.#call = call
    this.#rooms = rooms
  }

  /** Milliseconds since the try that is running began: what came before it is not this target's time. */
  get attemptMs(): number | null {
    return this.#current === null ? null : this.#rooms.clock.monotonic() - this.#mono
  }

  /** Its body has been read; one that never is was refused at the door. */
  asked(ask: Ask): void {
    this.#ask = ask
  }

  /** Where it may go, and why. */
  planned(plan: RoutedPlan): void {
    this.#plan = plan
  }

  /** What was set aside for it, to be settled at its end. */
  admitted(admission: Admission | null): void {
    this.#admission = admission
  }

  /** Calls `then` when the request is over. */
  onClose(then: () => void): void {
    this.#closers.push(then)
  }

  /** A try begins. */
  begin(target: Target): void {
    const { clock } = this.#rooms
    this.#current = this.#last = target
    this.#at = clock.now()
    this.#mono = clock.monotonic()
    this.#headMs = null
    this.#status = null
  }

  /** The head of its answer is here. */
  head(status: number): void {
    if (this.#current === null) return
    this.#headMs = this.#rooms.clock.monotonic() - this.#mono
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
      durationMs: this.#rooms.clock.monotonic() - this.#mono,
      status: this.#status ?? failure?.status ?? null,
      failure: failure?.kind ?? null,
      message: failure?.message ?? null,
    })
    this.#current = null
  }

  /** The first byte goes to the caller. */
  firstByte(): void {
    this.firstByteMs ??= this.#rooms.clock.monotonic() - this.#call.startedAt
  }

  /** The request is over. Records it, once. */
  close(end: LedgerEnd): void {
    if (this.#closed) return
    this.#closed = true
    const call = this.#call
    const ask = this.#ask
    const { clock, recorder } = this.#rooms
    const reported = end.tokens ?? noTokens
    const guessed = reported.outputTokens === null && end.guessedTokens ? guessedCounts(ask, end.guessedTokens) : null
    const served = end.outcome === 'denied' ? null : this.#last
    const record: Omit<RequestRecord, Priced> = {
      id: call.id,
      at: call.at,
      principal: ask?.principal.id ?? ('' as RequestRecord['principal']),
      surface: call.surface,
      clientProtocol: call.protocol,
      requestedModel: ask?.model ?? null,
      model: served?.model ?? null,
      provider: served?.provider ?? null,
      account: served?.account ?? null,
      attempts: this.attempts,
      stream: ask?.stream ?? false,
      tokens: guessed ?? reported,
      estimated: guessed !== null,
      status: end.status,
      outcome: end.outcome,
      error: end.error,
      firstByteMs: this.firstByteMs,
      durationMs: clock.monotonic() - call.startedAt,
      requestBytes: ask?.body.bytes.length ?? 0,
      responseBytes: end.responseBytes ?? 0,
      losses: end.losses ?? [],
      session: end.session ?? null,
      client: call.headers.get('user-agent')?.slice(0, 120) ?? null,
    }
    this.#admission?.settle(record)
    if (ask) recorder.keep?.(ask, record)
    recorder.record(record, this.#plan)
    for (const then of this.#closers) then()
  }
}

/** Counts for an answer whose upstream named none: only of a model's turn, which is what is paid by the token. */
function guessedCounts(ask: Ask | null, outputTokens: number): TokenCounts | null {
  if (!ask || ask.capability !== 'chat' || ask.surface === 'count_tokens' || !ask.body.json) return null
  const body = JSON.parse(new TextDecoder().decode(ask.body.bytes)) as Json
  return {
    ...noTokens,
    inputTokens: isObject(body) ? estimateTokens(body as JsonObject).inputTokens : null,
    outputTokens,
  }
}
