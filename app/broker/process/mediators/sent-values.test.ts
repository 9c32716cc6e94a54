import { describe, expect, it } from 'vitest';
import { bookOf, grantFor } from '../../testing/mediation.ts';
import { createKnowSent, MAX_SENT_VALUES } from './sent-values.ts';

const SECRET = 'real-0123456789abcdefghij';

describe('what went out in a credential’s stead', () => {
  const setUp = () => {
    const grant = grantFor('bearer', SECRET, ['api.test:443']);
    const book = bookOf(grant, SECRET);
    return { grant, book, know: createKnowSent(book) };
  };
  const value = (index: number): string => `sent-value-${String(index).padStart(24, '0')}`;

  it('is scrubbed, and what stands for it opens nothing', () => {
    const { grant, book, know } = setUp();
    expect(know(grant, value(1))).toMatchObject({ ok: true });
    expect(book.scrubber().text(`echo ${value(1)}`)).toMatchObject({ hits: 1 });
    expect(book.held().at(-1)?.grant.sites).toEqual([]);
  });

  it('is kept once, and no more of it than the limit', () => {
    const { grant, book, know } = setUp();
    for (let index = 0; index <= MAX_SENT_VALUES; index += 1) {
      know(grant, value(index));
      know(grant, value(index));
    }
    expect(book.held()).toHaveLength(1 + MAX_SENT_VALUES);
    expect(book.scrubber().text(value(0)).hits).toBe(0);
    expect(book.scrubber().text(value(1)).hits).toBe(1);
    expect(book.scrubber().text(value(MAX_SENT_VALUES)).hits).toBe(1);
  });
});
