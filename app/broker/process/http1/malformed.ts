/** What a server sent and no one can be sure how to read. The words say why, not what. */
export type Malformed = { readonly malformed: string };

export const malformed = (why: string): Malformed => ({ malformed: why });

export const isMalformed = (value: object): value is Malformed => 'malformed' in value;
