import type { Refusal, RefusalAnswer } from '../refuse.ts';
import { FLUSH_PKT, writePktLine } from './pkt-line.ts';
import type { PushRequest } from './push-request.ts';

const answer = (type: string, body: Buffer): RefusalAnswer => ({
  status: 200,
  headers: [['content-type', type]],
  body,
});

/** One line, as git shows it. */
const words = ({ code, message, hint }: Refusal): string =>
  `${message}${hint === undefined ? '' : ` ${hint}`} [${code}]`.replaceAll(/\s+/g, ' ');

/** A refused list of refs: git prints the words behind `fatal: remote error:` (gitprotocol-pack(5)). */
export const refusedAdvertisement = (
  service: 'git-upload-pack' | 'git-receive-pack',
  refusal: Refusal,
): RefusalAnswer =>
  answer(
    `application/x-${service}-advertisement`,
    Buffer.concat([
      writePktLine(`# service=${service}\n`),
      FLUSH_PKT,
      writePktLine(`ERR ${words(refusal)}\n`),
      FLUSH_PKT,
    ]),
  );

/** A refused fetch, as git prints it. */
export const refusedFetch = (refusal: Refusal): RefusalAnswer =>
  answer('application/x-git-upload-pack-result', writePktLine(`ERR ${words(refusal)}\n`));

/** Channel of a server's words to the user, and of its data (gitprotocol-pack(5), side-band-64k). */
const WORDS_CHANNEL = 2;
const DATA_CHANNEL = 1;
/** Most bytes that one line carries on a channel, with room for the smaller side-band. */
const MAX_BAND_BYTES = 995;

const onChannel = (channel: number, data: Buffer): Buffer => {
  const lines: Buffer[] = [];
  for (let at = 0; at < data.length; at += MAX_BAND_BYTES) {
    lines.push(
      writePktLine(Buffer.concat([Buffer.from([channel]), data.subarray(at, at + MAX_BAND_BYTES)])),
    );
  }
  return Buffer.concat(lines);
};

/** A refused push: every ref reported as refused, with the words, the way git shows a server's own refusal. */
export const refusedPush = (push: PushRequest, refusal: Refusal): RefusalAnswer => {
  const reports = push.capabilities.some((name) => name.startsWith('report-status'));
  const report = reports
    ? Buffer.concat([
        writePktLine('unpack ok\n'),
        ...push.commands.map(({ ref }) => writePktLine(`ng ${ref} refused by Glovebox\n`)),
        FLUSH_PKT,
      ])
    : Buffer.alloc(0);
  const banded = push.capabilities.some((name) => name.startsWith('side-band'));
  const body = banded
    ? Buffer.concat([
        onChannel(WORDS_CHANNEL, Buffer.from(`${words(refusal)}\n`)),
        onChannel(DATA_CHANNEL, report),
        FLUSH_PKT,
      ])
    : report;
  return answer('application/x-git-receive-pack-result', body);
};
