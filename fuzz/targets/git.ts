import {
  MAX_PKT_LINE_BYTES,
  readPktLine,
  writePktLine,
} from '../../app/broker/process/mediators/pkt-line.ts';
import { readPushRequest } from '../../app/broker/process/mediators/push-request.ts';
import { readGitRequest } from '../../app/broker/process/mediators/git-request.ts';
import type { Random } from '../random.ts';
import { must, mustEqual, parserTarget, type Target } from '../target.ts';
import { checkPrefixes, textOf } from './streams.ts';

const OLD = '1'.repeat(40);
const NEW = '2'.repeat(40);
const NONE = '0'.repeat(40);

const line = (text: string): string => textOf(writePktLine(Buffer.from(text, 'latin1')));

const command = (random: Random): string =>
  `${random.pick([OLD, NONE, 'g'.repeat(40), '1'.repeat(64)])} ${random.pick([NEW, NONE, '2'.repeat(64)])} ${random.pick(['refs/heads/main', 'refs/heads/a b', 'refs/heads/../x', 'refs/tags/v1', '', 'refs/heads/\xff', 'HEAD'])}`;

const push = (random: Random): Buffer => {
  const ending = (): string => random.pick(['', '\n', '\n\n']);
  const lines: string[] = [];
  if (random.oneIn(8)) lines.push(line(`shallow ${OLD}${ending()}`));
  const capabilities = random.pick(['report-status side-band-64k', 'push-options', '', 'a\0b']);
  if (random.oneIn(5)) {
    lines.push(line(`push-cert\0${capabilities}${ending()}`), line('certificate version 0.1\n'));
    lines.push(line('\n'), line(`${command(random)}\n`), line('-----BEGIN PGP SIGNATURE-----\n'));
    lines.push(line('push-cert-end\n'));
  } else {
    for (let left = random.below(4); left >= 0; left -= 1) {
      const words = lines.length === 0 || random.oneIn(10) ? `\0${capabilities}` : '';
      lines.push(line(`${command(random)}${words}${ending()}`));
    }
  }
  lines.push(random.pick(['0000', '0000', '0001', '0002', '']));
  if (random.oneIn(3)) lines.push(line('option=1'), '0000');
  return Buffer.from(`${lines.join('')}${random.pick(['PACK\0\0\0\x02', ''])}`, 'latin1');
};

const pktLine = parserTarget({
  name: 'pkt-line',
  maxBytes: 70_000,
  seeds: [
    '0000',
    '0001',
    '0002',
    '0003',
    '0004',
    '0005a',
    'fff0',
    'FFFF',
    'zzzz',
    '-001',
    line('x'.repeat(9)),
  ],
  generate: push,
  check: (bytes, random) => {
    checkPrefixes(bytes, random, (prefix) => {
      const read = readPktLine(prefix, 0);
      if (!read.ok) return { said: read };
      return read.value === undefined ? undefined : { said: read, used: read.value.end };
    });
    let at = 0;
    for (;;) {
      const read = readPktLine(bytes, at);
      if (!read.ok || read.value === undefined) return;
      const { line: found, end } = read.value;
      must(end > at && end <= bytes.length, 'it goes nowhere, or over the end');
      must(end - at <= MAX_PKT_LINE_BYTES, 'a line over the limit');
      if (found.type === 'data') {
        mustEqual(writePktLine(found.data).subarray(4), bytes.subarray(at + 4, end), 'other data');
      }
      at = end;
    }
  },
});

/** Commands as a careless reader finds them: line by line, up to the flush. */
const slowCommands = (bytes: Buffer): readonly string[] => {
  const found: string[] = [];
  let rest = textOf(bytes);
  for (;;) {
    const length = Number.parseInt(rest.slice(0, 4), 16);
    if (!(length >= 4)) return found;
    const [text = ''] = rest.slice(4, length).split('\0');
    const [, ref] = /^[0-9a-f]+ [0-9a-f]+ (.*?)\n?$/.exec(text) ?? [];
    if (ref !== undefined) found.push(Buffer.from(ref, 'latin1').toString('utf8'));
    rest = rest.slice(length);
  }
};

const pushRequest = parserTarget({
  name: 'push-request',
  seeds: [
    `${line(`${OLD} ${NEW} refs/heads/main\0report-status`)}0000PACK`,
    `${line(`${OLD} ${NEW} refs/heads/main\0push-options`)}0000${line('ci.skip')}0000PACK`,
    '0000',
    `${line(`shallow ${OLD}`)}${line(`${NONE} ${NEW} refs/heads/a\0`)}0000`,
  ],
  generate: push,
  check: (bytes, random) => {
    checkPrefixes(bytes, random, (prefix) => {
      const read = readPushRequest(prefix, false);
      return read.ok && read.value === undefined ? undefined : { said: read };
    });
    const read = readPushRequest(bytes, true);
    must(!read.ok || read.value !== undefined, 'at the end it asks for more');
    if (!read.ok || read.value === undefined) return;
    const { commands, signed } = read.value;
    for (const { ref } of commands) must(bytes.includes(` ${ref}`), 'a ref that nobody named');
    // Whatever server there is: what it would find as a command has been judged.
    const judged = new Set(commands.map(({ ref }) => ref));
    for (const ref of slowCommands(bytes))
      must(judged.has(ref), `a ref that is not judged: ${ref}`);
    if (!signed)
      mustEqual(
        commands.map(({ ref }) => ref),
        slowCommands(bytes),
        'other commands',
      );
  },
});

const PATHS = [
  'git-receive-pack',
  'git-upload-pack',
  'info/refs',
  'git%2dreceive-pack',
  'GIT-RECEIVE-PACK',
  'git-receive-pack;x',
  'git-receive-pack/',
  'info/refs;a',
  'info%2frefs',
  'git-receive-pack%00',
  'x',
] as const;

const gitRequest = parserTarget({
  name: 'git-request',
  maxBytes: 600,
  seeds: [
    'POST /o/r.git/git-receive-pack',
    'GET /o/r/info/refs?service=git-receive-pack',
    'GET /o/r/info/refs?service=git-upload-pack&service=git-receive-pack',
    'GET /o/r/info/refs',
    'POST /o/r;x/git-receive-pack',
    'GET /o/r/info/refs?service=git%2dreceive-pack',
  ],
  generate: (random) =>
    Buffer.from(
      `${random.pick(['POST', 'GET', 'PUT', 'post'])} /${random.pick(['o', 'o%2f', '', 'o;', '%ff'])}/r${random.pick(['', '.git', '.git.git', '%2egit'])}/${random.pick(PATHS)}${random.pick(['', '?service=git-receive-pack', '?service=git-upload-pack', '?Service=git-receive-pack', '?service=git-receive-pack&service=x', '?a=b&service=git-receive-pack', '?service=git%2Dreceive%2Dpack'])}`,
      'latin1',
    ),
  check: (bytes) => {
    const [method = '', ...rest] = textOf(bytes).split(' ');
    const target = rest.join(' ');
    if (!/^\/[\x21-\x7e]*$/.test(target)) return;
    const read = readGitRequest([method], target);
    if (!read.ok) return;
    const mark = target.indexOf('?');
    const path = (mark < 0 ? target : target.slice(0, mark)).replaceAll(
      /%([0-9a-f]{2})/gi,
      (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)),
    );
    const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark));
    const pushes = /\/git-receive-pack$/i.test(path) && method !== 'GET' && method !== 'HEAD';
    const asksToPush =
      /\/info\/refs$/i.test(path) && query.get('service')?.toLowerCase() === 'git-receive-pack';
    if (pushes || asksToPush) {
      mustEqual(read.value?.operation, 'push', 'a push that is not judged as one');
    }
    if (read.value === undefined) return;
    must(
      !read.value.repository.endsWith('.git') && !read.value.repository.includes(';'),
      'a repository with an ending',
    );
    must(!read.value.repository.startsWith('/'), 'a repository with a slash in front');
  },
});

export const GIT_TARGETS: readonly Target[] = [pktLine, pushRequest, gitRequest];
