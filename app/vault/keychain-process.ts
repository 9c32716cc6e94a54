import * as loaded from '@github/keytar';

/**
 * The process that speaks to the keychain. A keychain that waits (for a person at its prompt, or for
 * ever) holds a native thread, and a program with such a thread cannot end: so it is held here, in a
 * process that may be killed. Requests and answers are messages of `keytar.ts`; secrets pass over
 * this pipe only.
 */
type Request = {
  readonly id: number;
  readonly call: 'getPassword' | 'setPassword' | 'deletePassword';
  readonly args: readonly [string, string, string];
};

const keytar = (loaded as unknown as { readonly default?: typeof loaded }).default ?? loaded;

const answer = async ({ call, args: [service, account, value] }: Request): Promise<unknown> => {
  if (call === 'getPassword') return keytar.getPassword(service, account);
  if (call === 'deletePassword') return keytar.deletePassword(service, account);
  return keytar.setPassword(service, account, value);
};

process.on('message', (request: Request) => {
  answer(request).then(
    (value) => process.send?.({ id: request.id, value: value ?? null }),
    (thrown: unknown) =>
      process.send?.({
        id: request.id,
        error: thrown instanceof Error ? thrown.message : 'unknown',
      }),
  );
});

// An orderly end would wait for a thread that hangs.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
