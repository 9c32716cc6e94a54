import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_ANSWER_BYTES, takeAnswers, writeAnswer } from './answer-files.ts';

let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'gbx-answers-')), 'answers');
});
afterEach(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

describe('answers from another process', () => {
  it('are taken once, whole', () => {
    expect(takeAnswers(folder)).toEqual([]);
    const reply = { verdict: 'allow', scope: 'session' } as const;
    writeAnswer(folder, 'abcd-1', reply);
    expect(takeAnswers(folder)).toEqual([{ id: 'abcd-1', reply }]);
    expect(takeAnswers(folder)).toEqual([]);
    expect(readdirSync(folder)).toEqual([]);
  });

  it.each([
    ['nonsense', 'yes'],
    ['another verdict', JSON.stringify({ verdict: 'maybe', scope: 'once' })],
    ['more than an answer', JSON.stringify({ verdict: 'allow', scope: 'once', all: true })],
    [
      'a large file',
      `${JSON.stringify({ verdict: 'allow', scope: 'once' })}${' '.repeat(MAX_ANSWER_BYTES)}`,
    ],
  ])('give no leave as %s', (_what, text) => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'abcd-1'), text);
    writeFileSync(join(folder, 'no.question'), JSON.stringify({ verdict: 'allow', scope: 'once' }));
    expect(takeAnswers(folder)).toEqual([]);
    expect(existsSync(join(folder, 'abcd-1'))).toBe(false);
  });
});
