/** Where a scenario sends its requests. */
export interface Target extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, without `/v1`. */
  readonly url: string
  readonly key: string
  /** What stands before the demo's model names here: nothing, or `provider/`. */
  readonly prefix: string
  /** Requests that are open at the upstream now; resolves when there are so many. */
  upstreamIs(count: number, ms: number): Promise<void>
}
