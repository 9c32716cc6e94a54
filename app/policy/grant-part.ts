/** One value of a credential that has several (a key pair has two), as the sandbox holds it. */
export type GrantPart = {
  /** As the kind calls it: `value`, `access-key-id`, `secret-access-key`. */
  readonly name: string;
  readonly placeholder: string;
  /** Variables inside the sandbox that hold this placeholder. */
  readonly env: readonly string[];
};
