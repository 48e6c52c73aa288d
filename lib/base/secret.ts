const inspect = Symbol.for('nodejs.util.inspect.custom')
const deno = Symbol.for('Deno.customInspect')

/**
 * A string that prints as `[secret]` wherever it is printed: template, JSON, log, inspector.
 *
 * {@link Secret.reveal} is the only way out, so every use can be found by that name.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The value itself. Call it where the byte leaves: a signer, a store, the token issuer. */
  reveal(): string {
    return this.#value
  }

  /** Whether there is nothing in it. */
  get empty(): boolean {
    return this.#value.length === 0
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }

  [inspect](): string {
    return '[secret]'
  }

  [deno](): string {
    return '[secret]'
  }
}
