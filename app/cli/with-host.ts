import { createSessionHost, type HostOptions, type SessionHost } from '../host/index.ts';
import { createScope, type Scope } from '../kit/index.ts';
import { createConsole, sayFailure, type Console, type Surroundings } from './console.ts';
import { exitCodeOf } from './exit-codes.ts';
import { promptSecret } from './secret-input.ts';
import { endBy, type EndBy } from './stop-signals.ts';

/** What a command works with: the services, where to speak, and what it may own. */
export type Invocation = {
  readonly host: SessionHost;
  readonly console: Console;
  readonly around: Surroundings;
  readonly endBy: EndBy;
  readonly scope: Scope;
};

const QUESTIONS = {
  create: 'Choose a passphrase for Glovebox’s sealed credentials: ',
  open: 'Passphrase of Glovebox’s sealed credentials: ',
} as const;

/** Builds the services, runs the command with them, and takes everything down again whatever happened. */
export const withHost = async (
  around: Surroundings,
  how: {
    readonly shell: string;
    readonly quiet?: boolean;
    readonly surroundings?: HostOptions['surroundings'];
  },
  task: (invocation: Invocation) => Promise<number>,
): Promise<number> => {
  const console = createConsole(around, how.quiet);
  const scope = createScope('glovebox');
  try {
    const host = await createSessionHost(
      {
        env: around.env,
        shell: how.shell,
        ...(how.surroundings === undefined ? {} : { surroundings: how.surroundings }),
        askPassphrase: (purpose) => promptSecret(QUESTIONS[purpose]),
      },
      scope,
    );
    if (!host.ok) {
      sayFailure(console, host.error);
      return exitCodeOf(host.error);
    }
    return await task({ host: host.value, console, around, endBy: endBy(), scope });
  } finally {
    await scope.close();
  }
};
