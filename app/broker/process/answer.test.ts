import { describe, expect, it } from 'vitest';
import { planAnswer } from './answer.ts';
import { createScrubber } from './scrub.ts';

const SCRUBBER = createScrubber([
  { secret: 'secret-0123456789-abcdef', placeholder: 'placeholder-0123456789ab' },
]);
const plan = (headers: readonly (readonly [string, string])[], readable = true) =>
  planAnswer(SCRUBBER, {
    status: 200,
    reason: 'OK',
    headers,
    method: 'POST',
    version: 'h2',
    readable,
  });

describe('an answer that cannot be searched', () => {
  it.each([
    [['content-encoding', 'compress']],
    [['content-encoding', 'gzip, gzip, gzip, gzip']],
    [['grpc-encoding', 'gzip']],
    [['grpc-encoding', 'snappy']],
  ] as const)('is refused: %j', (header) => {
    expect(plan([header])).toMatchObject({ code: 'scrub.unreadable' });
  });

  it.each([[['content-encoding', 'gzip']], [['grpc-encoding', 'identity']]] as const)(
    'is none with %j',
    (header) => {
      expect(plan([header])).not.toHaveProperty('code');
    },
  );
});

describe('a body whose messages count their own bytes', () => {
  it.each([
    'application/grpc',
    'application/grpc+proto',
    'application/x-protobuf',
    'application/x-git-upload-pack-result',
    'application/x-git-receive-pack-result',
    'application/x-msgpack',
    'application/cbor',
  ])('keeps its length: %s', (type) => {
    expect(plan([['content-type', type]])).toMatchObject({ body: { sameLength: true } });
  });

  it.each(['application/json', 'text/event-stream', 'application/octet-stream'])(
    'is none: %s',
    (type) => {
      expect(plan([['content-type', type]])).toMatchObject({ body: { sameLength: false } });
    },
  );
});
