import { describe, expect, it } from 'vitest';
import { engineFailure, isLost, wordsOf } from './failure.ts';

const thrown = (message: string, more: object): Error => Object.assign(new Error(message), more);

describe('what the engine threw', () => {
  it.each([
    [thrown('connect EACCES /x', { code: 'EACCES' }), 'engine.no-permission'],
    [thrown('connect ECONNREFUSED', { code: 'ECONNREFUSED' }), 'engine.lost'],
    [thrown('socket hang up', { code: 'ECONNRESET' }), 'engine.lost'],
    [
      thrown('(HTTP code 500) server error - no space left on device', { statusCode: 500 }),
      'workspace.disk-full',
    ],
    [thrown('(HTTP code 400) bad parameter - no such thing', { statusCode: 400 }), 'engine.failed'],
    ['words', 'engine.failed'],
  ])('%s becomes %s', (what, code) => {
    expect(engineFailure(what, 'Trying')).toMatchObject({
      code,
      message: expect.stringMatching(/^Trying: /),
    });
  });

  it('is told without dockerode’s wrapping', () => {
    expect(
      wordsOf(thrown('(HTTP code 409) conflict - x ', { json: { message: 'name in use' } })),
    ).toBe('name in use');
    expect(wordsOf(thrown('(HTTP code 404) no such container - No such container: abc ', {}))).toBe(
      'No such container: abc',
    );
  });

  it('is an answer where there was a status', () => {
    expect(isLost(thrown('x', { statusCode: 500 }))).toBe(false);
    expect(isLost(thrown('x', { code: 'EPIPE' }))).toBe(true);
  });
});
