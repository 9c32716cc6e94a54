declare const brand: unique symbol;

/** A string (or other value) that only its parser can mint, because it decides what is reachable. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name };
