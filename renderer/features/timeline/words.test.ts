import { describe, expect, it } from 'vitest';
import type { TimelineDraft, TimelineEvent } from '../../../app/contract/index.ts';
import { foldEvents } from './fold.ts';
import { hasReason, rowWords, type RowWords } from './words.ts';

const recorded = (draft: TimelineDraft): TimelineEvent => ({
  ...draft,
  seq: 1,
  session: 'abcdefgh1234',
});
const wordsOf = (draft: TimelineDraft): RowWords => {
  const [row] = foldEvents([recorded(draft)]);
  if (row === undefined) throw new Error('an event made no row');
  return rowWords(row, '/home/me/project');
};

const at = '2026-11-21T14:22:07.000000Z';
const egress = {
  kind: 'egress',
  at,
  id: 'e1',
  verdict: 'allowed',
  scheme: 'https',
  method: 'GET',
  host: 'api.example.com',
  port: 443,
  path: '/v1/x',
  protocol: 'h2',
  inspected: true,
  status: 200,
  bytesOut: 0,
  bytesIn: 2048,
  durationMs: 5,
} as const satisfies TimelineDraft;
const unread = {
  ...egress,
  method: undefined,
  path: undefined,
  status: undefined,
  inspected: false,
} as const;

describe('the words of a row', () => {
  it('say that a request which was allowed failed, and why', () => {
    const failed = { ...egress, code: 'egress.upstream-broke' } as const;
    expect(wordsOf(failed)).toMatchObject({
      tone: 'failed',
      verdict: 'failed',
      right: 'egress.upstream-broke',
      reason: 'The server broke off its answer.',
    });
    expect(hasReason(recorded(failed))).toBe(true);
    expect(wordsOf(egress)).toMatchObject({ tone: 'allowed', right: '200', reason: undefined });
    expect(hasReason(recorded(egress))).toBe(false);
  });

  it('say of what is passed on unread what it speaks, how much it was, and that it was not inspected', () => {
    expect(wordsOf({ ...unread, scheme: 'tls', protocol: 'tls' })).toMatchObject({
      what: 'api.example.com',
      more: 'TLS',
      right: 'not inspected',
      figures: '2.0 kB · 5 ms',
    });
    expect(wordsOf({ ...unread, scheme: 'tcp', protocol: 'tcp', port: 2525 })).toMatchObject({
      what: 'api.example.com:2525',
      more: 'TCP',
      right: 'not inspected',
    });
  });

  it('name the place where a placeholder turned up, a looked-up name among them', () => {
    const tripped = { kind: 'credential', at, op: 'tripped', credential: 'work' } as const;
    expect(wordsOf({ ...tripped, host: 'dns' }).more).toBe('turned up in a DNS lookup');
    expect(wordsOf({ ...tripped, host: 'a.example' }).more).toBe('turned up at a.example');
    expect(wordsOf({ ...tripped, op: 'granted', host: 'a.example:443' }).more).toBe(
      'granted for a.example',
    );
  });

  it('name the port that was asked about', () => {
    const approval = {
      kind: 'approval',
      at,
      id: 'abc-1',
      what: 'destination',
      question: 'May this session reach api.example.com:8443?',
      host: 'api.example.com',
      port: 8443,
      answer: 'timed-out',
      durationMs: 120_000,
    } as const;
    expect(wordsOf(approval)).toMatchObject({
      what: 'api.example.com:8443',
      right: 'no answer in time',
      figures: 'after 2 min',
    });
  });
});
