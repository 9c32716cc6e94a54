import { describe, expect, it } from 'vitest';
import {
  createScramClient,
  createSaltedPasswords,
  createScramServer,
  MAX_SCRAM_ITERATIONS,
  SCRAM,
  SCRAM_PLUS,
} from './scram.ts';

const BINDING = Buffer.from('hash of a certificate');

/** Both sides against each other; the client's last message and what the server made of it. */
const exchange = async (
  password: string,
  candidates: readonly string[],
  bindings: { client?: Buffer; server?: Buffer } = {},
) => {
  const client = createScramClient(password, bindings.client, bindings.client !== undefined);
  const server = createScramServer(candidates, client.mechanism, bindings.server);
  const first = server.first(client.first);
  const final = first === undefined ? undefined : await client.final(first);
  const result = final === undefined ? undefined : await server.final(final);
  return { proved: result?.index, verified: result !== undefined && client.verify(result.message) };
};

describe('SCRAM-SHA-256', () => {
  it('gives what RFC 7677 gives for its example', async () => {
    // The RFC's example names a user; PostgreSQL takes the start-up packet's, so the client here names none.
    const nonce = 'rOprNGfwEbeRWgbNEkqO';
    const theirs = '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0';
    const server = createScramServer(
      ['pencil'],
      SCRAM,
      undefined,
      theirs,
      createSaltedPasswords(Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')),
    );
    const first = server.first(`n,,n=user,r=${nonce}`);
    expect(first).toBe(`r=${nonce}${theirs},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096`);
    expect(
      await server.final(
        `c=biws,r=${nonce}${theirs},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=`,
      ),
    ).toEqual({ index: 0, message: 'v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=' });
  });

  it('hashes each password once, however often it is tried', async () => {
    const passwords = createSaltedPasswords();
    const first = passwords.of('one');
    expect(passwords.of('one')).toBe(first);
    expect(passwords.of('two')).not.toBe(first);
    expect(await first).not.toEqual(await passwords.of('two'));
    expect(await createSaltedPasswords().of('one')).not.toEqual(await first);
  });

  it('says which of several passwords was proved, and proves it back', async () => {
    expect(await exchange('two', ['one', 'two'])).toEqual({ proved: 1, verified: true });
    expect(await exchange('three', ['one', 'two'])).toEqual({ proved: undefined, verified: false });
  });

  it('binds to the channel, and notices another', async () => {
    expect(await exchange('one', ['one'], { client: BINDING, server: BINDING })).toEqual({
      proved: 0,
      verified: true,
    });
    expect(
      await exchange('one', ['one'], { client: Buffer.from('another'), server: BINDING }),
    ).toMatchObject({ proved: undefined });
  });

  it('notices that the offer to bind was taken out', () => {
    const server = createScramServer(['one'], SCRAM, BINDING);
    expect(server.first('y,,n=,r=0123456789')).toBeUndefined();
    expect(server.first('n,,n=,r=0123456789')).toBeDefined();
    expect(createScramClient('one', undefined, true).first).toMatch(/^y,,/);
  });

  it.each([
    ['', SCRAM],
    ['n,,n=,r=short', SCRAM],
    ['n,a=other,n=,r=0123456789', SCRAM],
    ['n,,m=ext,n=,r=0123456789', SCRAM],
    ['p=tls-unique,,n=,r=0123456789', SCRAM_PLUS],
    ['n,,n=,r=0123456789', SCRAM_PLUS],
    [`n,,n=,r=${'x'.repeat(3000)}`, SCRAM],
  ] as const)('refuses the first message %j', (text, mechanism) => {
    expect(createScramServer(['one'], mechanism, BINDING).first(text)).toBeUndefined();
  });

  it.each([
    ['a nonce that is not ours', 'r=other-nonce-here,s=c2FsdA==,i=4096'],
    ['our nonce alone', 'r=my-own-nonce,s=c2FsdA==,i=4096'],
    ['too few rounds', 'r=my-own-nonce+theirs,s=c2FsdA==,i=1'],
    ['too many rounds', `r=my-own-nonce+theirs,s=c2FsdA==,i=${String(MAX_SCRAM_ITERATIONS + 1)}`],
    ['no salt', 'r=my-own-nonce+theirs,s=,i=4096'],
    ['nothing', ''],
  ])('refuses a server that sends %s', async (_what, text) => {
    expect(
      await createScramClient('p', undefined, false, 'my-own-nonce').final(text),
    ).toBeUndefined();
  });

  it('does not believe a server that cannot prove the password', async () => {
    const client = createScramClient('real', undefined, false, 'my-own-nonce');
    expect(client.verify('v=AAAA')).toBe(false);
    await client.final('r=my-own-nonce+theirs,s=c2FsdA==,i=4096');
    expect(client.verify(`v=${Buffer.alloc(32).toString('base64')}`)).toBe(false);
    expect(client.verify('e=other-error')).toBe(false);
  });
});
