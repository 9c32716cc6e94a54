/** Where in a request a credential may be put. Declared by its kind; nothing else is ever tried. */
export type InjectionSite =
  | { readonly type: 'header'; readonly name: string }
  /** `Authorization: Bearer …` (and GitHub's `token …`). */
  | { readonly type: 'authorization' }
  /** `Authorization: Basic …`: decoded, swapped in user or password, encoded. */
  | { readonly type: 'basic' };
