import type { RoutedPlan } from '../routing/mod.ts'
import type { FailureKind, Loss, TokenCounts } from '../protocol/mod.ts'
import { estimateTokens, noTokens } from '../protocol/mod.ts'
import { isObject, type Json, type JsonObject } from '../base/mod.ts'
import type { Target } from '../accounts/mod.ts'
import type { Attempt, Outcome, RequestRecord } from '../usage/mod.ts'
import type { Call } from './call.ts'
import type { Admission, Ask, Priced, Rooms } from './seams.ts'

/** What has happened to a request so far; becomes its record. */
export interface Ledger {
  /** A try begins. */
  begin(target: Target): void
  /** The head of its answer is here. */
  head(status: number): void
  /** The try is over. */
  end(failure: { readonly kind: FailureKind; readonly message: string; readonly status?: number | null } | null): void
  /** The first byte goes to the caller. */
  firstByte(): void
  /** The request is over. Records it, once. */
  close(end: LedgerEnd): void
  /** Where it may go, and why. */
  planned(plan: RoutedPlan): void
  /** Its body has been read; one that never is was refused at the door. */
  asked(ask: Ask): void
  /** What was set aside for it, to be settled at its end. */
  admitted(admission: Admission | null): void
  /** Calls `then` when the request is over. */
  onClose(then: () => void): void
  readonly firstByteMs: number | null
  /** Milliseconds since the try that is running began: what came before it is not this target's time. */
  readonly attemptMs: number | null
  readonly attempts: readonly Attempt[]
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

/** Opens the {@link Ledger} of a request. */
export function openLedger(call: Call, rooms: Rooms): Ledger {
  const { clock } = rooms
  const attempts: Attempt[] = []
  let current: { target: Target; at: number; mono: number; headMs: number | null; status: number | null } | null = null
  let last: Target | null = null
  let firstByteMs: number | null = null
  let closed = false
  const closers: (() => void)[] = []
  let admission: Admission | null = null
  let plan: RoutedPlan | null = null
  let ask: Ask | null = null

  return {
    begin(target) {
      last = target
      current = { target, at: clock.now(), mono: clock.monotonic(), headMs: null, status: null }
    },
    head(status) {
      if (!current) return
      current.headMs = clock.monotonic() - current.mono
      current.status = status
    },
    end(failure) {
      if (!current) return
      const { target, at, mono, headMs, status } = current
      attempts.push({
        target: target.key,
        account: target.account,
        provider: target.provider,
        model: target.model,
        startedAt: at,
        headMs,
        durationMs: clock.monotonic() - mono,
        status: status ?? failure?.status ?? null,
        failure: failure?.kind ?? null,
        message: failure?.message ?? null,
      })
      current = null
    },
    firstByte() {
      firstByteMs ??= clock.monotonic() - call.startedAt
    },
    close(end) {
      if (closed) return
      closed = true
      const reported = end.tokens ?? noTokens
      const guessed = reported.outputTokens === null && end.guessedTokens ? guessedCounts(ask, end.guessedTokens) : null
      const served = end.outcome === 'denied' ? null : last
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
        attempts,
        stream: ask?.stream ?? false,
        tokens: guessed ?? reported,
        estimated: guessed !== null,
        status: end.status,
        outcome: end.outcome,
        error: end.error,
        firstByteMs,
        durationMs: clock.monotonic() - call.startedAt,
        requestBytes: ask?.body.bytes.length ?? 0,
        responseBytes: end.responseBytes ?? 0,
        losses: end.losses ?? [],
        session: end.session ?? null,
        client: call.headers.get('user-agent')?.slice(0, 120) ?? null,
      }
      admission?.settle(record)
      if (ask) rooms.recorder.keep?.(ask, record)
      rooms.recorder.record(record, plan)
      for (const then of closers) then()
    },
    planned: (given) => void (plan = given),
    asked: (given) => void (ask = given),
    admitted: (given) => void (admission = given),
    onClose: (then) => void closers.push(then),
    get firstByteMs() {
      return firstByteMs
    },
    get attemptMs() {
      return current === null ? null : clock.monotonic() - current.mono
    },
    get attempts() {
      return attempts
    },
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
