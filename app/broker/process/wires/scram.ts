import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';

/** The two mechanisms spoken (RFC 7677, RFC 5802 6). */
export const SCRAM = 'SCRAM-SHA-256';
export const SCRAM_PLUS = 'SCRAM-SHA-256-PLUS';

/** Longest message of an exchange, in characters. */
export const MAX_SCRAM_CHARS = 2048;
/** Most rounds of hashing that a server may ask for; PostgreSQL's usual number is 4096. */
export const MAX_SCRAM_ITERATIONS = 1_000_000;
/** Fewest rounds that are taken (RFC 7677 4). */
export const MIN_SCRAM_ITERATIONS = 4096;
/** Rounds towards the sandbox. The placeholder has 128 random bits, nothing to slow a guesser for. */
export const OWN_ITERATIONS = 4096;
const NONCE_BYTES = 18;
const HASH_BYTES = 32;

const saltedPassword = (password: string, salt: Buffer, iterations: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    pbkdf2(password, salt, iterations, HASH_BYTES, 'sha256', (failed, key) =>
      failed === null ? resolve(key) : reject(failed),
    );
  });
const hmac = (key: Buffer, text: Buffer | string): Buffer =>
  createHmac('sha256', key).update(text).digest();
const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest();
const xor = (left: Buffer, right: Buffer): Buffer =>
  Buffer.from(left.map((byte, index) => byte ^ (right[index] ?? 0)));

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

const unbase64 = (text: string | undefined): Buffer | undefined =>
  text !== undefined && text !== '' && BASE64.test(text) ? Buffer.from(text, 'base64') : undefined;

/** The value of an attribute such as `r=…`, where the part is that attribute. */
const value = (part: string | undefined, name: string): string | undefined =>
  part?.startsWith(`${name}=`) === true ? part.slice(2) : undefined;

/** Printable ASCII without the comma (RFC 5802 7). */
const NONCE = /^[\x21-\x2b\x2d-\x7e]{8,512}$/;

const newNonce = (): string => randomBytes(NONCE_BYTES).toString('base64');

/** What ties an exchange to the TLS connection that it runs in: the server certificate's hash (RFC 5929 4). */
export type ChannelBinding = Buffer | undefined;

const bindingInput = (gs2: string, binding: ChannelBinding): string =>
  Buffer.concat([Buffer.from(gs2), binding ?? Buffer.alloc(0)]).toString('base64');

export type ScramClient = {
  readonly mechanism: typeof SCRAM | typeof SCRAM_PLUS;
  readonly first: string;
  /** The answer to the server's first message; undefined where that is malformed or asks too much. */
  readonly final: (serverFirst: string) => Promise<string | undefined>;
  /** Whether the server's last message proves that it knows the password too. */
  readonly verify: (serverFinal: string) => boolean;
};

/**
 * The client's side (RFC 5802): towards the real server, with the real password. With a channel
 * binding the exchange is worth nothing to anyone in between. `plusRefused` says that we could have
 * bound it and the server offered no such mechanism, so that stripping the offer is noticed.
 */
export const createScramClient = (
  password: string,
  binding: ChannelBinding,
  couldBind: boolean,
  nonce: string = newNonce(),
): ScramClient => {
  const gs2 = binding !== undefined ? 'p=tls-server-end-point,,' : couldBind ? 'y,,' : 'n,,';
  const bare = `n=,r=${nonce}`;
  let expected: Buffer | undefined;
  return {
    mechanism: binding === undefined ? SCRAM : SCRAM_PLUS,
    first: `${gs2}${bare}`,
    final: async (serverFirst) => {
      if (serverFirst.length > MAX_SCRAM_CHARS) return undefined;
      const [noncePart, saltPart, roundsPart] = serverFirst.split(',');
      const both = value(noncePart, 'r');
      const salt = unbase64(value(saltPart, 's'));
      const roundsText = value(roundsPart, 'i') ?? '';
      const rounds = /^[1-9][0-9]{0,6}$/.test(roundsText) ? Number(roundsText) : 0;
      if (both === undefined || !both.startsWith(nonce) || both.length <= nonce.length) {
        return undefined;
      }
      if (salt === undefined || !NONCE.test(both)) return undefined;
      if (rounds < MIN_SCRAM_ITERATIONS || rounds > MAX_SCRAM_ITERATIONS) return undefined;
      const salted = await saltedPassword(password, salt, rounds);
      const clientKey = hmac(salted, 'Client Key');
      const unproved = `c=${bindingInput(gs2, binding)},r=${both}`;
      const message = `${bare},${serverFirst},${unproved}`;
      expected = hmac(hmac(salted, 'Server Key'), message);
      const proof = xor(clientKey, hmac(sha256(clientKey), message));
      return `${unproved},p=${proof.toString('base64')}`;
    },
    verify: (serverFinal) => {
      const [part] = serverFinal.split(',');
      const signature = unbase64(value(part, 'v'));
      return (
        expected !== undefined &&
        signature?.length === expected.length &&
        timingSafeEqual(signature, expected)
      );
    },
  };
};

/** Most salted passwords that are kept; as many placeholders as a session has, and more. */
export const MAX_SALTED_PASSWORDS = 512;

/** Passwords hashed with one salt, each once: a program that tries on and on costs no hashing. */
export type SaltedPasswords = {
  readonly salt: Buffer;
  readonly of: (password: string) => Promise<Buffer>;
};

export const createSaltedPasswords = (salt: Buffer = randomBytes(16)): SaltedPasswords => {
  const known = new Map<string, Promise<Buffer>>();
  return {
    salt,
    of: (password) => {
      const found = known.get(password);
      if (found !== undefined) return found;
      const salted = saltedPassword(password, salt, OWN_ITERATIONS);
      if (known.size < MAX_SALTED_PASSWORDS) known.set(password, salted);
      return salted;
    },
  };
};

export type ScramServer = {
  /** The answer to the client's first message; undefined where that is malformed. */
  readonly first: (clientFirst: string) => string | undefined;
  /** Which of the candidates the client proved to know, with the last message for it; undefined for none. */
  readonly final: (
    clientFinal: string,
  ) => Promise<{ readonly index: number; readonly message: string } | undefined>;
};

/**
 * The server's side (RFC 5802): towards the program inside, which knows a placeholder. Several
 * candidates are tried, so that a placeholder of another credential is told from a wrong password.
 */
export const createScramServer = (
  candidates: readonly string[],
  mechanism: typeof SCRAM | typeof SCRAM_PLUS,
  binding: ChannelBinding,
  nonce: string = newNonce(),
  passwords: SaltedPasswords = createSaltedPasswords(),
): ScramServer => {
  let gs2 = '';
  let bare = '';
  let serverFirst = '';
  let both = '';
  return {
    first: (clientFirst) => {
      if (clientFirst.length > MAX_SCRAM_CHARS) return undefined;
      const [flag = '', authzid = '', name, noncePart, ...more] = clientFirst.split(',');
      const wanted =
        mechanism === SCRAM_PLUS
          ? flag === 'p=tls-server-end-point'
          : flag === 'n' || (flag === 'y' && binding === undefined);
      // `y` where we did offer to bind means that someone took the offer out (RFC 5802 6).
      if (!wanted || authzid !== '' || more.length > 0) return undefined;
      const theirs = value(noncePart, 'r');
      if (value(name, 'n') === undefined || theirs === undefined || !NONCE.test(theirs)) {
        return undefined;
      }
      gs2 = `${flag},${authzid},`;
      bare = clientFirst.slice(gs2.length);
      both = `${theirs}${nonce}`;
      serverFirst = `r=${both},s=${passwords.salt.toString('base64')},i=${String(OWN_ITERATIONS)}`;
      return serverFirst;
    },
    final: async (clientFinal) => {
      if (serverFirst === '' || clientFinal.length > MAX_SCRAM_CHARS) return undefined;
      const at = clientFinal.lastIndexOf(',p=');
      const unproved = clientFinal.slice(0, Math.max(0, at));
      const proof = unbase64(clientFinal.slice(at + 3));
      const expected = `c=${bindingInput(gs2, mechanism === SCRAM_PLUS ? binding : undefined)},r=${both}`;
      if (at < 0 || unproved !== expected || proof?.length !== HASH_BYTES) return undefined;
      const message = `${bare},${serverFirst},${unproved}`;
      for (const [index, candidate] of candidates.entries()) {
        const salted = await passwords.of(candidate);
        const storedKey = sha256(hmac(salted, 'Client Key'));
        const clientKey = xor(proof, hmac(storedKey, message));
        if (timingSafeEqual(sha256(clientKey), storedKey)) {
          const signature = hmac(hmac(salted, 'Server Key'), message);
          return { index, message: `v=${signature.toString('base64')}` };
        }
      }
      return undefined;
    },
  };
};
