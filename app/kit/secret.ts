const REDACTED = '[REDACTED]';

/**
 * Holds a secret so that it shows itself nowhere by accident: JSON, templates, `inspect` and
 * string conversion all give `[REDACTED]`. `expose()` is the one door, and is easy to grep.
 */
export class Secret<T = string> {
  readonly #value: T;
  constructor(value: T) {
    this.#value = value;
  }
  /** The real value. Call it where the value is used, never earlier. */
  expose(): T {
    return this.#value;
  }
  toString(): string {
    return REDACTED;
  }
  toJSON(): string {
    return REDACTED;
  }
  [Symbol.toPrimitive](): string {
    return REDACTED;
  }
  /** Node's `util.inspect` hook, so that logs and crash reports stay clean. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED;
  }
}
