import type { Running } from '../rig/process.ts'

/** A gateway under test, running on core 0 in front of the mock. */
export interface Target extends AsyncDisposable {
  readonly name: string
  readonly port: number
  /** Headers a client of it sends. */
  readonly headers: Readonly<Record<string, string>>
  /** What stands before a model's name. */
  readonly prefix: string
  readonly running: Running | undefined
}

/** Starts a target before the mock on `mockPort`, or says why it cannot. */
export type Starter = (mockPort: number) => Promise<Target | { readonly skipped: string }>
