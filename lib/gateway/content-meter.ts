/** What a token takes in a text, about. */
const bytesPerToken = 4

/**
 * Guesses tokens from the lengths of events alone: one for each, as models that write token by token send them, or more
 * where events are longer than the shortest but one, whose length is taken for what an event costs without its text (the
 * very shortest may be the odd one that says why the model stopped).
 */
export class ContentMeter {
  #events = 0
  #bytes = 0
  #shortest = 0x7fffffff
  #second = 0x7fffffff

  /** Takes the length of the next event, bytes. */
  add(length: number): void {
    this.#events++
    this.#bytes += length
    if (length < this.#shortest) {
      this.#second = this.#shortest
      this.#shortest = length
    } else if (length < this.#second) this.#second = length
  }

  /** The guess so far. */
  get tokens(): number {
    const bare = this.#events > 2 ? this.#second : this.#shortest
    return this.#events === 0
      ? 0
      : Math.max(this.#events, Math.round((this.#bytes - this.#events * bare) / bytesPerToken))
  }
}
