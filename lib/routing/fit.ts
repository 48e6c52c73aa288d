import type { Candidate } from './candidates.ts'
import type { Dropped, DropReason, PlannedTarget, TargetEdit } from './plan.ts'
import { strategies, type StrategyName, type StrategyView } from './strategies/mod.ts'

/** What the reasons of one plan are made from. Filled in while it is made, read when somebody asks. */
export interface Words {
  first: Fit | null
  /** Why the first stands first, when its session decided that. */
  note: string | null
  readonly strategy: StrategyName
  readonly view: StrategyView
}

/** How a candidate that may serve stands. */
export interface Stand {
  /** 0 good, 1 not what the caller prefers, 2 failed a moment ago, 3 only our own guess keeps it out. */
  readonly group: number
  readonly trial: boolean
  readonly note: (() => string) | null
}

/** A candidate that may serve, in its place. Its reason is put into words only when somebody reads it. */
export class Fit implements PlannedTarget {
  readonly candidate: Candidate
  readonly group: number
  readonly trial: boolean
  readonly target: PlannedTarget['target']
  readonly fallback: boolean
  edit?: TargetEdit
  readonly #note: (() => string) | null
  readonly #words: Words

  constructor(candidate: Candidate, { group, trial, note }: Stand, words: Words) {
    this.candidate = candidate
    this.group = group
    this.trial = trial
    this.target = candidate.target
    this.fallback = candidate.fallback
    this.#note = note
    this.#words = words
  }

  get because(): string {
    const { first, note, strategy, view } = this.#words
    if (note !== null && this === first) return note
    return this.#note?.() ?? strategies[strategy].because(this.candidate, view)
  }

  toJSON(): PlannedTarget {
    const { target, trial, because } = this
    return { target, because, trial }
  }
}

/** A drop whose sentence is made only when somebody reads it. */
export class LazyDrop implements Dropped {
  readonly target: Dropped['target']
  readonly because: DropReason
  readonly until: number | null
  readonly #detail: () => string

  constructor(target: Dropped['target'], because: DropReason, until: number | null, detail: () => string) {
    this.target = target
    this.because = because
    this.until = until
    this.#detail = detail
  }

  get detail(): string {
    return this.#detail()
  }

  toJSON(): Dropped {
    const { target, because, until, detail } = this
    return { target, because, detail, until }
  }
}
