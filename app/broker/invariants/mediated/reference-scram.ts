import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** SCRAM-SHA-256 (RFC 5802, RFC 7677) written down once more, so that the broker’s own is held against another. */

const ROUNDS = 4096;
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
const xor = (one: Buffer, other: Buffer): Buffer =>
  Buffer.from(one.map((byte, index) => byte ^ (other[index] ?? 0)));

const fieldOf = (message: string, name: string): string =>
  message
    .split(',')
    .find((part) => part.startsWith(`${name}=`))
    ?.slice(2) ?? '';

/** `n` knows no binding, `y` was offered none, `p` binds to the server’s certificate. */
export type BindingFlag = 'n' | 'y' | 'p=tls-server-end-point';
const gs2Of = (flag: BindingFlag): string => `${flag},,`;
const bound = (flag: BindingFlag, certificate: Buffer | undefined): string =>
  Buffer.concat([
    Buffer.from(gs2Of(flag)),
    flag.startsWith('p') && certificate !== undefined ? sha256(certificate) : Buffer.alloc(0),
  ]).toString('base64');

/** Both sides of one exchange’s arithmetic. */
const keysOf = (password: string, salt: Buffer, rounds: number, messages: string) => {
  const salted = pbkdf2Sync(password, salt, rounds, 32, 'sha256');
  const clientKey = hmac(salted, 'Client Key');
  return {
    proof: xor(clientKey, hmac(sha256(clientKey), messages)).toString('base64'),
    signature: hmac(hmac(salted, 'Server Key'), messages).toString('base64'),
  };
};

export type ReferenceClient = {
  readonly first: string;
  readonly final: (serverFirst: string) => string;
  readonly signature: () => string;
};

export const createReferenceClient = (
  password: string,
  flag: BindingFlag,
  certificate: Buffer | undefined,
): ReferenceClient => {
  const bare = `n=,r=${randomBytes(12).toString('base64')}`;
  let signature = '';
  return {
    first: `${gs2Of(flag)}${bare}`,
    final: (serverFirst) => {
      const unproved = `c=${bound(flag, certificate)},r=${fieldOf(serverFirst, 'r')}`;
      const keys = keysOf(
        password,
        Buffer.from(fieldOf(serverFirst, 's'), 'base64'),
        Number(fieldOf(serverFirst, 'i')),
        `${bare},${serverFirst},${unproved}`,
      );
      ({ signature } = keys);
      return `${unproved},p=${keys.proof}`;
    },
    signature: () => signature,
  };
};

export type ReferenceServer = {
  readonly first: (clientFirst: string) => string;
  /** What the client proved, and the server’s own proof. */
  readonly final: (clientFinal: string) => { readonly proved: boolean; readonly message: string };
};

export const createReferenceServer = (
  password: string,
  certificate: Buffer | undefined,
  rounds = ROUNDS,
): ReferenceServer => {
  const salt = randomBytes(16);
  let flag: BindingFlag = 'n';
  let bare = '';
  let serverFirst = '';
  return {
    first: (clientFirst) => {
      const [found = '', , ...rest] = clientFirst.split(',');
      flag = found as BindingFlag;
      bare = rest.join(',');
      serverFirst = `r=${fieldOf(bare, 'r')}${randomBytes(12).toString('base64')},s=${salt.toString('base64')},i=${String(rounds)}`;
      return serverFirst;
    },
    final: (clientFinal) => {
      const unproved = clientFinal.slice(0, clientFinal.lastIndexOf(',p='));
      const keys = keysOf(password, salt, rounds, `${bare},${serverFirst},${unproved}`);
      const proved =
        unproved === `c=${bound(flag, certificate)},r=${fieldOf(serverFirst, 'r')}` &&
        // `y` says that no binding was offered, which is so only without a certificate.
        !(flag === 'y' && certificate !== undefined) &&
        fieldOf(clientFinal.slice(unproved.length + 1), 'p') === keys.proof;
      return { proved, message: `v=${keys.signature}` };
    },
  };
};
