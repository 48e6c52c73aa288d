/** Bounds and deadlines of one request. Milliseconds and bytes. */
export interface Limits {
  readonly bodyBytes: number
  readonly headerBytes: number
  readonly headerCount: number
  readonly eventBytes: number
  /** Largest upstream answer that is no stream. */
  readonly replyBytes: number
  /** The most that an upstream may send in one stream. */
  readonly streamBytes: number
  /** Longest pause while the caller sends its body. */
  readonly bodyMs: number
  /** Longest wait for the head of an upstream's answer. */
  readonly headMs: number
  /**
   * Longest silence of an upstream's answer after its head. A stream that shows that it is alive and says nothing, in
   * comments, pings or empty events, may do so for three times as long.
   */
  readonly idleMs: number
  /** Silence after which a stream gets an event that means nothing, so that no client or proxy gives up on it. */
  readonly keepAliveMs: number
  /** Time without content after which a stream is opened towards the caller, so that it need not wait in the dark. */
  readonly openAfterMs: number
  /** Longest time for the whole of a request, its stream included; 0 is no limit. */
  readonly totalMs: number
  readonly concurrent: number
}

/** What holds where nothing else is said. */
export const defaultLimits: Limits = {
  bodyBytes: 32 * 1024 * 1024,
  headerBytes: 64 * 1024,
  headerCount: 200,
  eventBytes: 16 * 1024 * 1024,
  replyBytes: 64 * 1024 * 1024,
  streamBytes: 1024 ** 3,
  bodyMs: 30_000,
  headMs: 300_000,
  idleMs: 1_200_000,
  keepAliveMs: 10_000,
  openAfterMs: 5_000,
  totalMs: 0,
  concurrent: 20_000,
}

/** How long, ms, an upstream may show that it is alive and say nothing: a model may think for an hour in pings. */
export const wordlessMs = ({ idleMs }: Limits): number => 3 * idleMs
