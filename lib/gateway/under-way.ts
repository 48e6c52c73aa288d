import type { GwError } from '../base/mod.ts'
import type { Answer } from './answer.ts'
import type { Ledger } from './settle.ts'

/** The answers that are being worked for, which may have to be ended all at once. */
export class UnderWay {
  readonly #answers = new Set<Answer>()

  /** Counts `answer` until its `ledger` is closed. */
  add(answer: Answer, ledger: Ledger): void {
    this.#answers.add(answer)
    ledger.onClose({ closed: () => this.#answers.delete(answer) })
  }

  /** Ends all of them: whoever has no answer yet gets `because`, and a stream ends with an event that says so. */
  end(because: GwError): void {
    for (const answer of [...this.#answers]) answer.leave(because)
  }
}
