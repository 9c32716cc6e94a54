import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../kit/index.ts';
import { readGitRequest } from './git-request.ts';
import { FLUSH_PKT, MAX_PKT_LINE_BYTES, readPktLine, writePktLine } from './pkt-line.ts';
import { MAX_PUSH_HEAD_BYTES, readPushRequest } from './push-request.ts';

const ZERO = '0'.repeat(40);
const ONE = '1'.repeat(40);
const TWO = '2'.repeat(40);
const pkts = (...lines: readonly (string | Buffer)[]): Buffer =>
  Buffer.concat([...lines.map(writePktLine), FLUSH_PKT]);
const unreadable = { ok: false, error: { code: 'git.unreadable' } };

describe('a pkt-line', () => {
  it('comes back as it was written, wherever it stands', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.uint8Array({ maxLength: 20 }), (a, b) => {
        const bytes = Buffer.concat([Buffer.from(b), writePktLine(Buffer.from(a)), Buffer.from(b)]);
        const read = unwrap(readPktLine(bytes, b.length));
        expect(read?.line).toEqual({ type: 'data', data: Buffer.from(a) });
        expect(read?.end).toBe(b.length + a.length + 4);
      }),
    );
  });

  it('may be as long as the limit and no longer', () => {
    const longest = Buffer.concat([Buffer.from('fff0'), Buffer.alloc(MAX_PKT_LINE_BYTES - 4)]);
    expect(unwrap(readPktLine(longest, 0))?.end).toBe(MAX_PKT_LINE_BYTES);
    expect(readPktLine(Buffer.from('fff1'), 0)).toMatchObject(unreadable);
  });

  it.each(['0003', 'zzzz', '-001', '00 4', '0x04'])('is not %s', (text) => {
    expect(readPktLine(Buffer.from(text), 0)).toMatchObject(unreadable);
  });

  it('asks for more until it is whole', () => {
    const whole = writePktLine('abc');
    for (let at = 0; at < whole.length; at += 1) {
      expect(unwrap(readPktLine(whole.subarray(0, at), 0))).toBeUndefined();
    }
  });
});

describe('a push', () => {
  const first = `${ZERO} ${ONE} refs/heads/new\0 report-status side-band-64k agent=git/2`;

  it('names what it creates, changes and deletes, and what it can read', () => {
    const bytes = Buffer.concat([
      pkts(first, `${ONE} ${TWO} refs/heads/main\n`, `${ONE} ${ZERO} refs/tags/v1`),
      Buffer.from('PACK'),
    ]);
    expect(unwrap(readPushRequest(bytes, false))).toEqual({
      commands: [
        { action: 'create', ref: 'refs/heads/new' },
        { action: 'update', ref: 'refs/heads/main' },
        { action: 'delete', ref: 'refs/tags/v1' },
      ],
      capabilities: ['report-status', 'side-band-64k', 'agent=git/2'],
      signed: false,
      options: [],
    });
  });

  it('is read the same wherever it is cut', () => {
    const bytes = pkts(`shallow ${ONE}`, first, `${ONE} ${TWO} refs/heads/main`);
    for (let at = 0; at < bytes.length; at += 1) {
      expect(unwrap(readPushRequest(bytes.subarray(0, at), false))).toBeUndefined();
      expect(readPushRequest(bytes.subarray(0, at), true)).toMatchObject(unreadable);
    }
    expect(unwrap(readPushRequest(bytes, false))?.commands).toHaveLength(2);
  });

  it('tells its options where it has announced them', () => {
    const bytes = Buffer.concat([
      pkts(`${ZERO} ${ONE} refs/heads/x\0push-options`),
      pkts('ci.skip', 'merge_request.create'),
    ]);
    expect(unwrap(readPushRequest(bytes, false))?.options).toEqual([
      'ci.skip',
      'merge_request.create',
    ]);
    expect(unwrap(readPushRequest(bytes.subarray(0, -4), false))).toBeUndefined();
  });

  it('tells the refs of a signed certificate', () => {
    const certificate = [
      'push-cert\0report-status push-cert=nonce\n',
      'certificate version 0.1\n',
      'pusher A <a@example.com> 1 +0000\n',
      'nonce 1-2\n',
      '\n',
      `${ONE} ${TWO} refs/heads/main\n`,
      '-----BEGIN PGP SIGNATURE-----\n',
      'abc\n',
      '-----END PGP SIGNATURE-----\n',
      'push-cert-end\n',
    ];
    expect(unwrap(readPushRequest(pkts(...certificate), false))).toMatchObject({
      commands: [{ action: 'update', ref: 'refs/heads/main' }],
      signed: true,
    });
    const second = certificate.toSpliced(8, 0, '-----BEGIN PGP SIGNATURE-----\n');
    expect(readPushRequest(pkts(...second), false)).toMatchObject(unreadable);
    const unsigned = certificate.toSpliced(6, 3);
    expect(readPushRequest(pkts(...unsigned), false)).toMatchObject(unreadable);
    // receive-pack would see the blank line, and a command behind it.
    const hidden = certificate.toSpliced(3, 1, `nonce 1-2\n\n${ONE} ${TWO} refs/heads/hidden\n`);
    expect(readPushRequest(pkts(...hidden), false)).toMatchObject(unreadable);
    const open = certificate.slice(0, -1);
    expect(readPushRequest(pkts(...open), false)).toMatchObject(unreadable);
    const mixed = [...certificate, `${ONE} ${TWO} refs/heads/other\n`];
    expect(readPushRequest(pkts(...mixed), false)).toMatchObject(unreadable);
  });

  it('may be git’s empty probe and nothing behind it', () => {
    expect(unwrap(readPushRequest(FLUSH_PKT, true))?.commands).toEqual([]);
    expect(unwrap(readPushRequest(FLUSH_PKT, false))).toBeUndefined();
    expect(readPushRequest(Buffer.concat([FLUSH_PKT, pkts(first)]), false)).toMatchObject(
      unreadable,
    );
  });

  it.each([
    ['two lines in one', pkts(`${ONE} ${TWO} refs/heads/a\n${ONE} ${TWO} refs/heads/main\n`)],
    ['capabilities behind a later ref', pkts(first, `${ONE} ${TWO} refs/heads/main\0x`)],
    ['an empty line', pkts('')],
    ['no ref', pkts(`${ONE} ${TWO} `)],
    ['a ref with a space', pkts(`${ONE} ${TWO} refs/heads/a b`)],
    ['a ref that climbs', pkts(`${ONE} ${TWO} refs/heads/../main`)],
    ['a ref with empty parts', pkts(`${ONE} ${TWO} refs//heads/main`)],
    ['a ref that is no text', pkts(Buffer.from(`${ONE} ${TWO} refs/heads/\xff`, 'latin1'))],
    ['short objects', pkts(`${ONE.slice(1)} ${TWO} refs/heads/main`)],
    ['objects of two kinds', pkts(`${ONE} ${'2'.repeat(64)} refs/heads/main`)],
    ['nothing from nothing', pkts(`${ZERO} ${ZERO} refs/heads/main`)],
    ['a delimiter', Buffer.from('0001')],
    ['a late shallow line', pkts(first, `shallow ${ONE}`)],
  ])('with %s is refused', (_, bytes) => {
    expect(readPushRequest(bytes, true)).toMatchObject(unreadable);
  });

  it('may be as long as the limit and no longer', () => {
    const lines: Buffer[] = [writePktLine(first)];
    const line = writePktLine(`${ONE} ${TWO} refs/heads/${'x'.repeat(200)}`);
    for (let bytes = 0; bytes <= MAX_PUSH_HEAD_BYTES; bytes += line.length) lines.push(line);
    const long = Buffer.concat(lines);
    expect(
      unwrap(readPushRequest(long.subarray(0, MAX_PUSH_HEAD_BYTES - 300), false)),
    ).toBeUndefined();
    expect(readPushRequest(long, false)).toMatchObject(unreadable);
  });

  it('never throws, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 90 }), fc.string().map(writePktLine))),
        fc.boolean(),
        (parts, last) => {
          const read = readPushRequest(Buffer.concat(parts.map((part) => Buffer.from(part))), last);
          expect(read.ok || read.error.code === 'git.unreadable').toBe(true);
        },
      ),
    );
  });
});

describe('a request of git', () => {
  it.each([
    ['GET', '/o/r.git/info/refs?service=git-upload-pack', 'fetch', 'advertise'],
    ['GET', '/o/r/info/refs?service=git-receive-pack', 'push', 'advertise'],
    ['GET', '/o/r/info/refs', 'fetch', 'advertise'],
    ['POST', '/o/r.git/git-upload-pack', 'fetch', 'exchange'],
    ['POST', '/o/r/git-receive-pack', 'push', 'exchange'],
    ['POST', '/o/r/git%2Dreceive-pack', 'push', 'exchange'],
    ['POST', '/o//r.git/git-receive-pack/', 'push', 'exchange'],
    ['POST', '/%6f/r/GIT-receive-pack;x=1', 'push', 'exchange'],
    ['PUT', '/o/r.GIT/git-receive-pack?a=b', 'push', 'exchange'],
    ['POST', '/o/r.git.git/git-receive-pack', 'push', 'exchange'],
    ['POST', '/o/r/git-upload-archive', 'fetch', 'exchange'],
  ])('%s %s is a %s', (method, target, operation, step) => {
    expect(readGitRequest([method], target)).toEqual({
      ok: true,
      value: { operation, repository: 'o/r', step },
    });
  });

  it.each([
    ['GET', '/o/r'],
    ['GET', '/o/r/git-receive-pack'],
    ['POST', '/o/r/git-receive-packs'],
    ['GET', '/o/r/info/refsx?service=git-upload-pack'],
  ])('is not %s %s', (method, target) => {
    expect(readGitRequest([method], target)).toEqual({ ok: true, value: undefined });
  });

  it.each([
    ['GET', '/o/r/info/refs?service=git-upload-pack&service=git-receive-pack'],
    ['GET', '/o/r/info/refs?service=git-archive'],
    ['POST', '/o/r.git;x/git-receive-pack'],
    ['GET', '/o%3bx/r/info/refs?service=git-receive-pack'],
  ])('with two meanings is refused: %s %s', (method, target) => {
    expect(readGitRequest([method], target)).toMatchObject(unreadable);
  });

  it('exchanges something where it may be taken for another method', () => {
    expect(readGitRequest(['GET', 'POST'], '/o/r/git-receive-pack')).toMatchObject({
      value: { operation: 'push', step: 'exchange' },
    });
  });

  it.each(['git-receive-pack', 'git-upload-pack'])('sees a repository that is named %s', (name) => {
    expect(readGitRequest(['GET'], `/o/${name}/info/refs?service=${name}`)).toMatchObject({
      ok: true,
      value: { repository: `o/${name}`, step: 'advertise' },
    });
  });
});
