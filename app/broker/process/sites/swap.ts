/** A placeholder to be put right: what to look for, and the real value for it. */
export type Swap = { readonly placeholder: string; readonly secret: string };

/** A text with the real value in place, and the same text with nothing there: what else it says can be searched. */
export type Swapped = { readonly text: string; readonly rest: string };
