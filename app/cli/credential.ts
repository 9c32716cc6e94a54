import { CredentialInput } from '../contract/index.ts';
import type { Failure, Result, Secret } from '../kit/index.ts';
import { ok } from '../kit/index.ts';
import { isFoundInside } from '../policy/index.ts';
import { printable, sayFailure } from './console.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { promptSecret, readSecret } from './secret-input.ts';
import type { Invocation } from './with-host.ts';

export type CredentialFlags = {
  readonly kind: string;
  readonly host: readonly string[];
  readonly env?: string;
  readonly stdin?: boolean;
};

const failed = ({ console }: Invocation, failure: Failure): number => {
  sayFailure(console, failure);
  return exitCodeOf(failure);
};

/** The secret comes from standard input or from a prompt that shows nothing; never from an argument. */
const askSecret = async (
  { around }: Invocation,
  name: string,
  fromStdin: boolean,
): Promise<Result<Secret>> => {
  if (fromStdin || !around.stdin.isTTY) return readSecret(around.stdin);
  const secret = await promptSecret(`Secret of ${name} (not shown): `);
  return secret === undefined
    ? { ok: false, error: { code: 'credential.bad-value', message: 'No secret was given.' } }
    : ok(secret);
};

export const addCredential = async (
  invocation: Invocation,
  name: string,
  flags: CredentialFlags,
): Promise<number> => {
  // Everything but the secret is judged first, so that nobody types a secret in vain.
  const parsed = CredentialInput.omit({ secret: true }).safeParse({
    name,
    kind: flags.kind,
    ...(flags.host.length === 0 ? {} : { hosts: flags.host }),
    ...(flags.env === undefined ? {} : { env: flags.env }),
  });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path[0] === 'name' ? 'NAME' : `--${String(issue?.path[0] ?? '')}`;
    return failed(invocation, {
      code: 'credential.bad-value',
      message: `${where}: ${issue?.message ?? 'cannot be used'}`,
    });
  }
  const secret = await askSecret(invocation, name, flags.stdin === true);
  if (!secret.ok) return failed(invocation, secret.error);
  const added = await invocation.host.vault.add({ ...parsed.data, secret: secret.value });
  if (!added.ok) return failed(invocation, added.error);
  const { kind, hosts, env } = added.value;
  invocation.console.say(
    `Stored ${name} (${kind})${hosts.length === 0 ? '' : ` for ${hosts.join(', ')}`}${env === undefined ? '' : `, placeholder in ${env}`}.`,
  );
  if (!isFoundInside(kind, env)) {
    invocation.console.say(
      `Warning: nothing inside can use ${name}, because no variable holds its placeholder.`,
    );
    invocation.console.say(
      `  Remove it and store it again with a variable: glovebox credential remove ${name}, then add it with --env VARIABLE.`,
    );
  }
  return EXIT.done;
};

export const rotateCredential = async (
  invocation: Invocation,
  name: string,
  fromStdin: boolean,
): Promise<number> => {
  const secret = await askSecret(invocation, name, fromStdin);
  if (!secret.ok) return failed(invocation, secret.error);
  const rotated = await invocation.host.vault.rotate(name, secret.value);
  if (!rotated.ok) return failed(invocation, rotated.error);
  invocation.console.say(`${name} has its new secret; running sessions keep the old one.`);
  return EXIT.done;
};

export const removeCredential = async (invocation: Invocation, name: string): Promise<number> => {
  const removed = await invocation.host.vault.remove(name);
  if (!removed.ok) return failed(invocation, removed.error);
  invocation.console.say(`Removed ${name}.`);
  return EXIT.done;
};

/** That nothing is stored; or, where the store cannot be looked into, why not and what opens it. */
const sayNone = async ({ host, console }: Invocation, asJson: boolean): Promise<void> => {
  const { state, problem } = await host.vault.status();
  if (state === 'open' || problem === undefined) {
    // An empty list says it by itself.
    if (!asJson) console.say('No credentials are stored. glovebox credential add NAME --kind KIND');
    return;
  }
  const { code, message, hint } = problem;
  sayFailure(console, { code, message, ...(hint === undefined ? {} : { hint }) });
};

export const listCredentials = async (invocation: Invocation, asJson: boolean): Promise<number> => {
  const listed = await invocation.host.vault.list();
  if (!listed.ok) return failed(invocation, listed.error);
  const { out } = invocation.console;
  if (listed.value.length === 0) await sayNone(invocation, asJson);
  if (asJson) {
    out(JSON.stringify(listed.value));
    return EXIT.done;
  }
  for (const { name, kind, hosts, env, rotatedAt, addedAt } of listed.value) {
    out(
      [name, kind, hosts.join(',') || '-', env ?? '-', (rotatedAt ?? addedAt).slice(0, 10)]
        .map(printable)
        .join('\t'),
    );
  }
  return EXIT.done;
};
