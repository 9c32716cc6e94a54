import { createPublicKey, generateKeyPairSync, verify, type KeyObject } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createManualClock, unwrap, type Result } from '../../../kit/index.ts';
import type { CredentialGrant } from '../../../policy/index.ts';
import { bookOf, grantFor, requestTo } from '../../testing/mediation.ts';
import { injectRequest, type HeaderPairs } from '../inject.ts';
import type { HeldAnswer, Mediation } from '../mediate.ts';
import type { Refusal } from '../refuse.ts';
import { MAX_JWT_CHARS, readJwt, signRs256, writeJwt } from './jwt.ts';
import { MAX_MINTED_TOKENS, mintLike, MIN_TOKEN_CHARS } from './minted-token.ts';
import { ASSERTION_SKEW_SECONDS, MAX_ASSERTION_SECONDS } from './service-account.ts';
import { MAX_ANSWER_DEPTH } from './token-answer.ts';
import {
  createSelfSignedMediator,
  createTokenMediator,
  JWT_BEARER,
  MAX_ROTATED_TOKENS,
} from './tokens.ts';

const NOW = Date.parse('2026-03-04T05:06:07Z');
const FORM: HeaderPairs = [['Content-Type', 'application/x-www-form-urlencoded']];
const ENDPOINT = 'https://auth.test/oauth/token';
const REFRESH = 'real-refresh-token-0123456789';
const CLIENT_SECRET = 'real client&secret/0123'.replaceAll(' ', '+');
const ACCESS = 'ya29.real-access-token-0123456789abcdef';

const rsa = () =>
  generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const answerOf = (value: unknown, status = 200): HeldAnswer => ({
  status,
  headers: [['Content-Type', 'application/json']],
  body: Buffer.isBuffer(value) ? value : json(value),
});
const textOf = (answer: HeldAnswer): Record<string, string> =>
  JSON.parse(answer.body.toString()) as Record<string, string>;

const taken = (mediation: Result<Mediation, Refusal> | undefined): Mediation => {
  if (mediation === undefined) throw new Error('not taken');
  return unwrap(mediation);
};
const release = async (mediation: Mediation, body: Buffer) => {
  if (mediation.body.type !== 'hold') throw new Error('not held');
  return mediation.body.release(body);
};
const back = async (mediation: Mediation, answer: HeldAnswer) => {
  if (mediation.answer.type !== 'hold') throw new Error('not held');
  return mediation.answer.release(answer);
};

describe('a refresh token', () => {
  const secret = JSON.stringify({
    token_uri: ENDPOINT,
    client_id: 'my-client',
    client_secret: CLIENT_SECRET,
    refresh_token: REFRESH,
  });
  const setUp = () => {
    const grant = grantFor('oauth-refresh', secret, ['api.test:443']);
    const clientSecret =
      grant.parts.find(({ name }) => name === 'client-secret')?.placeholder ?? '';
    const book = bookOf(grant, secret);
    const clock = createManualClock(NOW);
    const rotated: string[] = [];
    const mediator = createTokenMediator({
      book,
      clock,
      onRotated: (credential, token) => rotated.push(`${credential} ${token}`),
    });
    const post = (headers: HeaderPairs = FORM) =>
      taken(mediator(requestTo(ENDPOINT, { method: 'POST', headers, bodyBytes: 10 })));
    const form = (fields: Readonly<Record<string, string>> = {}): Buffer =>
      Buffer.from(
        new URLSearchParams({
          grant_type: 'refresh_token',
          refresh_token: grant.placeholder,
          client_id: 'my-client',
          ...fields,
        }).toString(),
      );
    const refresh = async (answer: unknown): Promise<Record<string, string>> => {
      const mediation = post();
      unwrap(await release(mediation, form()));
      return textOf(unwrap(await back(mediation, answerOf(answer))));
    };
    return { grant, clientSecret, book, clock, rotated, mediator, post, form, refresh };
  };

  it('goes out in a form, with its client’s secret', async () => {
    const { post, form, clientSecret } = setUp();
    const released = unwrap(await release(post(), form({ client_secret: clientSecret })));
    expect(Object.fromEntries(new URLSearchParams(released.body.toString()))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: REFRESH,
      client_id: 'my-client',
      client_secret: CLIENT_SECRET,
    });
  });

  it('goes out in JSON, each field once', async () => {
    const { post, grant, clientSecret } = setUp();
    const text = `{"refresh_token":"other","grant_type":"refresh_token","n":1,"client_secret":${JSON.stringify(clientSecret)},"refresh_token":${JSON.stringify(grant.placeholder)}}`;
    const released = unwrap(
      await release(post([['content-type', 'application/json; charset=utf-8']]), Buffer.from(text)),
    );
    expect(released.body.toString()).toBe(
      JSON.stringify({
        refresh_token: REFRESH,
        grant_type: 'refresh_token',
        n: 1,
        client_secret: CLIENT_SECRET,
      }),
    );
  });

  it.each([
    [
      'a form',
      FORM,
      (mine: string) => `grant_type=refresh_token&refresh_token=${mine}&Grant_Type=x`,
    ],
    [
      'JSON',
      [['content-type', 'application/json']] as HeaderPairs,
      (mine: string) =>
        JSON.stringify({ grant_type: 'refresh_token', refresh_token: mine, Grant_Type: 'x' }),
    ],
  ])(
    'does not go out beside a field that only its case tells from another, in %s',
    async (_, headers, write) => {
      const { post, grant } = setUp();
      expect(await release(post(headers), Buffer.from(write(grant.placeholder)))).toMatchObject({
        ok: false,
        error: { code: 'oauth.bad-request' },
      });
    },
  );

  it('goes out with its client logged in by Basic', async () => {
    const { post, form, clientSecret } = setUp();
    const login = Buffer.from(`my-client:${clientSecret}`).toString('base64');
    const released = unwrap(
      await release(post([...FORM, ['Authorization', `Basic ${login}`]]), form()),
    );
    const value = released.headers.find(([name]) => name === 'Authorization')?.[1] ?? '';
    expect(Buffer.from(value.slice(6), 'base64').toString()).toBe(
      `my-client:${encodeURIComponent(CLIENT_SECRET)}`,
    );
  });

  it('is never used for anything but refreshing', async () => {
    const { post, form, clientSecret, grant } = setUp();
    const login = Buffer.from(`my-client:${clientSecret}`).toString('base64');
    const bad = { ok: false, error: { code: 'oauth.bad-request' } };
    for (const fields of [
      { grant_type: 'client_credentials', refresh_token: '', client_secret: clientSecret },
      {
        grant_type: 'authorization_code',
        code: 'x',
        refresh_token: 'mine',
        client_secret: clientSecret,
      },
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: grant.placeholder,
      },
      { refresh_token: 'mine', client_secret: clientSecret },
    ] satisfies Record<string, string>[])
      expect(await release(post(), form(fields))).toMatchObject(bad);
    expect(
      await release(
        post([...FORM, ['Authorization', `Basic ${login}`]]),
        Buffer.from('grant_type=client_credentials'),
      ),
    ).toMatchObject(bad);
    expect(
      await release(post(), Buffer.concat([form(), Buffer.from('&client_id=other')])),
    ).toMatchObject(bad);
    expect(await release(post([...FORM, ['Content-Encoding', 'gzip']]), form())).toMatchObject(bad);
  });

  it('is left to the plain way by another method, at another path, host or port, and without TLS', () => {
    const { mediator } = setUp();
    for (const [url, method] of [
      [ENDPOINT, 'GET'],
      ['https://auth.test/oauth/other', 'POST'],
      ['https://auth.test/oauth/token?x=1', 'POST'],
      ['https://auth.test:8443/oauth/token', 'POST'],
      ['https://api.test/oauth/token', 'POST'],
      ['http://auth.test/oauth/token', 'POST'],
    ] as const)
      expect(mediator(requestTo(url, { method, headers: FORM, bodyBytes: 1 }))).toBeUndefined();
  });

  it('is left to the plain way when a placeholder stands in another header', () => {
    const { mediator, grant } = setUp();
    const headers: HeaderPairs = [...FORM, ['x-note', grant.placeholder]];
    expect(
      mediator(requestTo(ENDPOINT, { method: 'POST', headers, bodyBytes: 1 })),
    ).toBeUndefined();
  });

  it('brings back placeholders, each good at the grant’s hosts alone', async () => {
    const { refresh, book } = setUp();
    const answer = await refresh({
      access_token: ACCESS,
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'a b',
      account: { id: 'u-1', sessionToken: 'real-nested-session-token' },
    });
    expect(JSON.stringify(answer)).not.toMatch(/real/);
    expect(answer).toMatchObject({
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'a b',
      account: { id: 'u-1' },
    });
    const placeholder = answer['access_token'] ?? '';
    expect(placeholder).toMatch(/^ya29\./);
    expect(placeholder).toHaveLength(ACCESS.length);
    const put = (url: string) => {
      const request = requestTo(url);
      return injectRequest(book.held(), {
        ...request,
        headers: [['Authorization', `Bearer ${placeholder}`]],
      });
    };
    expect(put('https://api.test/v1')).toMatchObject({
      type: 'ready',
      headers: [['Authorization', `Bearer ${ACCESS}`]],
    });
    expect(put('https://evil.test/')).toMatchObject({ type: 'tripped', code: 'grant.wrong-host' });
    expect(put(ENDPOINT)).toMatchObject({ type: 'tripped', code: 'grant.wrong-host' });
    expect(book.scrubber().text(`x ${ACCESS} y`).text).toBe(`x ${placeholder} y`);
  });

  it('stays the same inside when the server puts a new one in its place', async () => {
    const { refresh, post, form, grant, rotated, book } = setUp();
    const next = 'real-second-refresh-token-0123';
    expect(await refresh({ access_token: ACCESS, refresh_token: next })).toMatchObject({
      refresh_token: grant.placeholder,
    });
    expect(rotated).toEqual([`my-oauth-refresh ${next}`]);
    const released = unwrap(await release(post(), form()));
    expect(new URLSearchParams(released.body.toString()).get('refresh_token')).toBe(next);
    expect(released.used).toEqual([grant]);
    expect(book.scrubber().text(next).text).not.toContain('real');
    await refresh({ refresh_token: 'real-third-refresh-token-01234' });
    await refresh({ refresh_token: 'real-third-refresh-token-01234' });
    expect(rotated).toHaveLength(2);
  });

  it('stays unseen for a while after another took its place, and so many are remembered', async () => {
    const { refresh, book } = setUp();
    const token = (count: number): string => `real-refresh-token-number-${String(count)}`;
    for (let count = 0; count <= MAX_ROTATED_TOKENS; count += 1)
      await refresh({ refresh_token: token(count) });
    const { text } = book.scrubber();
    expect(text(REFRESH).hits).toBe(1);
    expect(text(token(0)).hits).toBe(0);
    for (let count = 1; count <= MAX_ROTATED_TOKENS; count += 1)
      expect(text(token(count)).hits).toBe(1);
    expect(book.held()).toHaveLength(1 + MAX_ROTATED_TOKENS);
  });

  it('brings long JSON Web Tokens of one issuer that are told apart', async () => {
    const { refresh, book } = setUp();
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const issue = (jti: string): string =>
      writeJwt(
        { alg: 'RS256', kid: 'the-one-key-of-this-issuer' },
        { iss: 'https://issuer.test/'.padEnd(200, 'x'), jti, scope: 'a'.repeat(200) },
        signRs256(privateKey),
      );
    const tokens = [issue('first-id-0123456789'), issue('other-id-0123456789')];
    const placeholders: string[] = [];
    for (const token of tokens)
      placeholders.push((await refresh({ access_token: token }))['access_token'] ?? '');
    for (const [at, placeholder] of placeholders.entries()) {
      const headers: HeaderPairs = [['Authorization', `Bearer ${placeholder}`]];
      const request = { ...requestTo('https://api.test/v1'), headers };
      expect(injectRequest(book.held(), request)).toMatchObject({
        type: 'ready',
        headers: [['Authorization', `Bearer ${tokens[at] ?? ''}`]],
      });
      const { text } = book.scrubber();
      expect(text(`"${placeholder}"`)).toEqual({ text: `"${placeholder}"`, hits: 0 });
      expect(text(`"${tokens[at] ?? ''}"`).text).toBe(`"${placeholder}"`);
      // Told by any part that is its own, and in any spelling.
      for (const part of [readJwt(tokens[at] ?? '')?.claims['jti'], tokens[at]?.split('.')[2]])
        expect(text(Buffer.from(`a ${String(part)}`).toString('base64')).hits).toBeGreaterThan(0);
      const elsewhere = { ...requestTo('https://evil.test/'), headers };
      expect(injectRequest(book.held(), elsewhere)).toMatchObject({ code: 'grant.wrong-host' });
    }
  });

  it.each([
    ['no JSON', Buffer.from('access_token=real')],
    ['no UTF-8', Buffer.from([0xff, 0xfe])],
    ['no object', json(['real-token'])],
    ['nothing', Buffer.alloc(0)],
    [
      'too deep',
      json(Array.from({ length: MAX_ANSWER_DEPTH + 1 }).reduce<unknown>((inner) => ({ inner }), 1)),
    ],
  ])('brings nothing back from an answer that is %s', async (_, body) => {
    const { post, form } = setUp();
    const mediation = post();
    unwrap(await release(mediation, form()));
    const result = await back(mediation, answerOf(body));
    expect(result).toMatchObject({ ok: false, error: { code: 'oauth.unreadable' } });
    expect(JSON.stringify(result)).not.toContain('real-token');
  });

  it('leaves exchanges alone that are about none of ours', async () => {
    const { post } = setUp();
    const body = Buffer.from('grant_type=refresh_token&refresh_token=theirs');
    const mediation = post();
    expect(unwrap(await release(mediation, body)).body).toBe(body);
    const answer = answerOf(Buffer.from('whatever'));
    expect(unwrap(await back(mediation, answer))).toBe(answer);
  });

  it('remembers so many tokens and no more, the newest ones', async () => {
    const { refresh, book } = setUp();
    const first = await refresh({ access_token: `${ACCESS}-first` });
    const again = await refresh({ access_token: `${ACCESS}-first` });
    expect(again).toEqual(first);
    for (let count = 0; count < MAX_MINTED_TOKENS; count += 1)
      await refresh({ access_token: `${ACCESS}-${String(count).padStart(5, '0')}` });
    expect(book.held()).toHaveLength(MAX_MINTED_TOKENS + 1);
    expect(book.held().some((held) => held.secret === `${ACCESS}-first`)).toBe(false);
    expect(book.held().some((held) => held.secret === `${ACCESS}-00127`)).toBe(true);
  });

  it('puts a fresh token in an expired one’s place', async () => {
    const { refresh, book, clock } = setUp();
    await refresh({ access_token: `${ACCESS}-1`, expires_in: 60 });
    clock.advance(60 * 60 * 1000);
    await refresh({ access_token: `${ACCESS}-2`, expires_in: 60 });
    expect(book.held().map((held) => held.secret)).toEqual([secret, `${ACCESS}-2`]);
  });
});

describe('a placeholder for a token', () => {
  it('keeps a JSON Web Token’s claims under a signature that nobody made', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const claims = { sub: 'me', aud: 'x', exp: 1, jti: 'handle', email: 'é@example.com' };
    const token = writeJwt({ alg: 'RS256', kid: 'k' }, claims, signRs256(privateKey));
    const read = readJwt(mintLike(token));
    expect(read?.header).toEqual({ alg: 'RS256', kid: 'k' });
    expect(read?.claims).toEqual({ ...claims, jti: expect.not.stringMatching('handle') as string });
    expect(read?.signature).toHaveLength(256);
    expect(read?.signature).not.toEqual(readJwt(token)?.signature);
  });

  it('is as long as the token, never too short, and holds no run of it', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_.-]{1,300}$/), (token) => {
        const placeholder = mintLike(token);
        const opaque = readJwt(token) === undefined;
        expect(placeholder.length).toBeGreaterThanOrEqual(MIN_TOKEN_CHARS);
        expect(opaque && placeholder.length !== Math.max(token.length, MIN_TOKEN_CHARS)).toBe(
          false,
        );
        expect(token.length >= MIN_TOKEN_CHARS && placeholder.includes(token.slice(-12))).toBe(
          false,
        );
      }),
    );
  });
});

describe('a JSON Web Token', () => {
  it('is read as it was written, up to the limit', () => {
    const text = writeJwt({ alg: 'none' }, { a: 1 }, () => Buffer.from('sig'));
    expect(readJwt(text)).toMatchObject({ header: { alg: 'none' }, claims: { a: 1 } });
    const [head, body] = text.split('.');
    const room = MAX_JWT_CHARS - `${String(head)}.${String(body)}.`.length;
    expect(readJwt(`${String(head)}.${String(body)}.${'A'.repeat(room)}`)).toBeDefined();
    expect(readJwt(`${String(head)}.${String(body)}.${'A'.repeat(room + 1)}`)).toBeUndefined();
  });
  it.each([
    '',
    'a.b',
    'a.b.c',
    'e30.e30.AA',
    `${Buffer.from('{"alg":"x"}').toString('base64url')}.W10.AA`,
  ])('is not %j', (text) => expect(readJwt(text)).toBeUndefined());
});

describe('a service account', () => {
  const real = rsa();
  const inside = rsa();
  const email = 'bot@project.iam.gserviceaccount.com';
  const TOKEN_URI = 'https://oauth2.googleapis.com/token';
  const secret = JSON.stringify({
    type: 'service_account',
    project_id: 'project',
    private_key_id: 'real-key-id',
    private_key: real.privateKey,
    client_email: email,
    token_uri: TOKEN_URI,
  });
  const made = grantFor('google-service-account', secret, ['*.googleapis.com:443']);
  const grant: CredentialGrant = {
    ...made,
    files: [
      { name: 'key.json', content: JSON.stringify({ private_key: inside.privateKey }), env: [] },
    ],
  };
  const setUp = () => {
    const book = bookOf(grant, secret);
    const clock = createManualClock(NOW);
    const mediator = createTokenMediator({ book, clock, onRotated: () => undefined });
    const post = () =>
      taken(mediator(requestTo(TOKEN_URI, { method: 'POST', headers: FORM, bodyBytes: 1 })));
    return { book, clock, post, selfSigned: createSelfSignedMediator(book, clock) };
  };
  const claims = {
    iss: email,
    scope: 'https://www.googleapis.com/auth/cloud-platform',
    aud: TOKEN_URI,
    iat: NOW / 1000,
    exp: NOW / 1000 + 3600,
  };
  const assertion = (
    more: Readonly<Record<string, unknown>> = {},
    key: string | KeyObject = inside.privateKey,
  ): string =>
    writeJwt(
      { alg: 'RS256', typ: 'JWT', kid: grant.placeholder },
      { ...claims, ...more },
      (input) => signRs256(key as KeyObject)(input),
    );
  const body = (jwt: string, type = JWT_BEARER): Buffer =>
    Buffer.from(new URLSearchParams({ grant_type: type, assertion: jwt }).toString());
  const verified = (jwt: string): boolean => {
    const read = readJwt(jwt);
    return (
      read !== undefined &&
      verify(
        'sha256',
        Buffer.from(read.signingInput),
        createPublicKey(real.publicKey),
        read.signature,
      )
    );
  };

  it('has its assertions made anew with the real key', async () => {
    const { post } = setUp();
    const mediation = post();
    const released = unwrap(await release(mediation, body(assertion())));
    const jwt = new URLSearchParams(released.body.toString()).get('assertion') ?? '';
    expect(verified(jwt)).toBe(true);
    expect(readJwt(jwt)).toMatchObject({ header: { alg: 'RS256', kid: 'real-key-id' }, claims });
    const answer = unwrap(
      await back(mediation, answerOf({ access_token: ACCESS, expires_in: 3599 })),
    );
    expect(textOf(answer)['access_token']).toMatch(/^ya29\./);
    expect(answer.body.toString()).not.toContain('real');
  });

  it.each([
    ['another key', assertion({}, real.privateKey)],
    ['another algorithm', writeJwt({ alg: 'none' }, claims, () => Buffer.from('x'))],
    [
      'another algorithm over the same signature',
      writeJwt({ alg: 'none' }, claims, signRs256(inside.privateKey as never)),
    ],
    ['a person to act for', assertion({ sub: 'admin@example.com' })],
    ['an unknown claim', assertion({ act: 'x' })],
    ['another endpoint', assertion({ aud: 'https://evil.test/token' })],
    ['no end', assertion({ exp: undefined })],
    ['too long a life', assertion({ exp: claims.iat + MAX_ASSERTION_SECONDS + 1 })],
    [
      'a time to come',
      assertion({ iat: claims.iat + ASSERTION_SKEW_SECONDS + 1, exp: claims.iat + 1000 }),
    ],
    [
      'a time gone by',
      assertion({ iat: claims.iat - 3600, exp: claims.iat - ASSERTION_SKEW_SECONDS - 1 }),
    ],
    ['no life at all', assertion({ exp: claims.iat })],
  ])('has no assertion made with %s', async (_, jwt) => {
    const { post } = setUp();
    expect(await release(post(), body(jwt))).toMatchObject({
      ok: false,
      error: { code: 'oauth.bad-assertion' },
    });
  });

  it('has no assertion made for another grant type', async () => {
    const { post } = setUp();
    const type = 'urn:ietf:params:oauth:grant-type:token-exchange';
    expect(await release(post(), body(assertion(), type))).toMatchObject({
      ok: false,
      error: { code: 'oauth.bad-request' },
    });
  });

  it('has tokens that its clients sign for themselves made anew, for the service they are sent to', () => {
    const { selfSigned } = setUp();
    const ask = (url: string, more: Readonly<Record<string, unknown>>, key?: string) =>
      selfSigned(
        requestTo(url, {
          headers: [
            [
              'authorization',
              `Bearer ${assertion({ scope: undefined, sub: email, ...more }, key)}`,
            ],
          ],
        }),
      );
    const url = 'https://pubsub.googleapis.com/v1/x';
    const mediation = taken(ask(url, { aud: 'https://pubsub.googleapis.com/' }));
    const token = mediation.headers.find(([name]) => name === 'authorization')?.[1]?.slice(7) ?? '';
    expect(verified(token)).toBe(true);
    expect(mediation.used).toEqual([grant]);
    expect(taken(ask(url, { aud: undefined, scope: 'x' })).used).toEqual([grant]);
    const bad = { ok: false, error: { code: 'oauth.bad-assertion' } };
    expect(ask(url, { aud: 'https://storage.googleapis.com/' })).toMatchObject(bad);
    expect(ask(url, { aud: undefined })).toMatchObject(bad);
    expect(ask(url, { aud: 'https://pubsub.googleapis.com/' }, real.privateKey)).toMatchObject(bad);
    expect(ask('https://evil.test/', { aud: 'https://evil.test/' })).toBeUndefined();
    expect(
      ask('http://pubsub.googleapis.com/', { aud: 'https://pubsub.googleapis.com/' }),
    ).toBeUndefined();
  });
});
