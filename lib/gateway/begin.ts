/** How many requests begin in one turn of the event loop. */
const perTurn = 128

/**
 * Lets so many requests begin in each turn of the event loop, in the order in which they came.
 *
 * A burst of thousands would otherwise all be read, planned and sent before the first of them is answered: each would
 * hold all that it needs up to its answer for as long as the burst lasts, and the streams that run would stand still.
 */
export class Beginnings {
  #begun = 0
  #waiting: (() => void)[] = []
  #counting = false

  /** `null` to begin at once; else when it is this request's turn. */
  next(): Promise<void> | null {
    if (this.#begun < perTurn) {
      this.#begun++
      this.#count()
      return null
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  #count(): void {
    if (this.#counting) return
    this.#counting = true
    setImmediate(this.#turn)
  }

  readonly #turn = (): void => {
    this.#counting = false
    const first = this.#waiting.splice(0, perTurn)
    this.#begun = first.length
    if (first.length > 0) this.#count()
    for (const begin of first) begin()
  }
}
