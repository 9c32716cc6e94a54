/** The outcome of something that may fail for a reason a user could read. Bugs throw instead. */
export type Result<T, E = Failure> = Ok<T> | Err<E>;
export type Ok<T> = { readonly ok: true; readonly value: T };
export type Err<E> = { readonly ok: false; readonly error: E };

/** An expected failure as plain, cloneable data. `message` says what was tried and on what, `hint` what to do. No secrets. */
export type Failure<Code extends string = string> = {
  readonly code: Code;
  readonly message: string;
  readonly hint?: string;
};

export const ok = <T>(value: T): Ok<T> => ({ ok: true, value });
export const err = <E>(error: E): Err<E> => ({ ok: false, error });

/** Builds an expected failure; the code is one of the contract's codes where a user can meet it. */
export const failure = <Code extends string>(
  code: Code,
  message: string,
  hint?: string,
): Failure<Code> => (hint === undefined ? { code, message } : { code, message, hint });

/** Shorthand for `err(failure(...))`. */
export const fail = <Code extends string>(
  code: Code,
  message: string,
  hint?: string,
): Err<Failure<Code>> => err(failure(code, message, hint));

/** Turns an expected failure into a throw, for edges (tests, command line) that end on it. */
export const unwrap = <T>(result: Result<T>): T => {
  if (result.ok) return result.value;
  throw new FailureError(result.error);
};

/** The thrown form of a `Failure`; only edges that cannot return a `Result` use it. */
export class FailureError extends Error {
  readonly failure: Failure;
  constructor(of: Failure) {
    super(of.hint === undefined ? of.message : `${of.message} ${of.hint}`);
    this.name = 'FailureError';
    this.failure = of;
  }
}
