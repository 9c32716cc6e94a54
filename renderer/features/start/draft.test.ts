import { describe, expect, it } from 'vitest';
import { StartRequest, type CredentialSummary } from '../../../app/contract/index.ts';
import {
  EMPTY_DRAFT,
  hostRuleProblem,
  methodProblem,
  narrowedBy,
  pathProblem,
  siteProblem,
  startBlocks,
  suggestGrants,
  toRequest,
} from './draft.ts';

const credential = (name: string, kind: string, hosts: string[] = []): CredentialSummary => ({
  name,
  kind,
  hosts,
  addedAt: '2026-11-01T00:00:00Z',
});
const work = credential('anthropic-work', 'anthropic', ['api.anthropic.com']);
const other = credential('internal', 'bearer');

describe('start draft', () => {
  it('becomes a request that fits the contract, with only what is switched on', () => {
    const draft = {
      ...EMPTY_DRAFT,
      grants: {
        'anthropic-work': { on: true, hosts: undefined },
        internal: { on: false, hosts: ['a.b'] },
      },
      title: '  fix tests ',
    };
    const request = toRequest(draft, '/home/me/p', [work, other], undefined);
    expect(StartRequest.parse(request)).toMatchObject({
      grants: [{ credential: 'anthropic-work' }],
      title: 'fix tests',
      network: { default: 'deny' },
    });
  });

  it('asks for what narrows a grant, and for hosts refused and passed through', () => {
    const draft = {
      ...EMPTY_DRAFT,
      deny: ['no.test'],
      passThrough: ['pinned.test'],
      grants: {
        internal: {
          on: true,
          hosts: ['a.test'],
          methods: ['GET'],
          paths: ['/v1/*'],
          sites: [],
        },
      },
    };
    const request = StartRequest.parse(toRequest(draft, '/home/me/p', [other], undefined));
    expect(request.grants).toEqual([
      { credential: 'internal', hosts: ['a.test'], methods: ['GET'], paths: ['/v1/*'] },
    ]);
    expect(request.network).toMatchObject({ deny: ['no.test'], passThrough: ['pinned.test'] });
  });

  it.each([
    [methodProblem, 'get', true],
    [methodProblem, 'TRACE', false],
    [methodProblem, 'G3T', false],
    [pathProblem, '/v1/*', true],
    [pathProblem, '/v1/**', true],
    [pathProblem, 'v1', false],
    [pathProblem, '/v1*', false],
    [pathProblem, '/a?b', false],
    [pathProblem, '/a/../b', false],
    [siteProblem, 'header:x-key', true],
    [siteProblem, 'path', true],
    [siteProblem, 'cookie', false],
  ])('%o takes “%s”: %s', (problemOf, text, fine) => {
    expect(problemOf(text) === undefined).toBe(fine);
  });

  it('switches the fitting credential on once, and never one the user switched off', () => {
    const assistant = {
      name: 'claude-code',
      title: 'Claude Code',
      image: 'ready',
      kinds: ['anthropic'],
      hosts: [],
    } as const;
    const info = { ...assistant, kinds: ['anthropic'], hosts: [] };
    expect(suggestGrants(EMPTY_DRAFT, info, [other, work])).toEqual({
      'anthropic-work': { on: true, hosts: undefined, suggested: true },
    });
    const off = { ...EMPTY_DRAFT, grants: { 'anthropic-work': { on: false, hosts: undefined } } };
    expect(suggestGrants(off, info, [work])).toBe(off.grants);
  });

  it('takes its own suggestion back when another assistant is chosen, and leaves what the user chose', () => {
    const codex = {
      name: 'codex',
      title: 'Codex',
      image: 'ready' as const,
      kinds: ['openai'],
      hosts: [],
    };
    const draft = {
      ...EMPTY_DRAFT,
      grants: {
        'anthropic-work': { on: true, hosts: undefined, suggested: true },
        internal: { on: true, hosts: ['a.b'] },
      },
    };
    const info = { ...codex, name: 'codex' as const };
    expect(suggestGrants(draft, info, [work, other])).toEqual({
      internal: { on: true, hosts: ['a.b'] },
    });
  });

  it('offers only what can narrow a grant of that kind', () => {
    expect(narrowedBy('postgres')).toEqual([]);
    expect(narrowedBy('aws')).toEqual(['methods', 'paths']);
    expect(narrowedBy('query:key')).toEqual(['methods', 'paths']);
    expect(narrowedBy('gitlab')).toEqual(['methods', 'paths', 'sites']);
  });

  it('does not start without a folder, or with a credential that is for no host', () => {
    const draft = { ...EMPTY_DRAFT, grants: { internal: { on: true, hosts: undefined } } };
    expect(startBlocks(draft, undefined, [other], undefined)).toEqual([
      'Choose a project folder first.',
      'Say which hosts internal is for.',
    ]);
  });

  it.each([
    ['api.example.com', true],
    ['*.example.com:8443', true],
    ['[::1]:80', true],
    ['https://example.com', false],
    ['example.com/path', false],
    ['a.*.com', false],
    ['example.com:99999', false],
    ['two words', false],
  ])('host rule “%s”', (text, fine) => {
    expect(hostRuleProblem(text) === undefined).toBe(fine);
  });
});
