import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { ASSISTANTS, GENERIC_KINDS, MEDIATED_KINDS, PROVIDER_KINDS } from '../contract/index.ts';
import { createConsole, sayFailure, type Surroundings } from './console.ts';
import {
  addCredential,
  listCredentials,
  removeCredential,
  rotateCredential,
  type CredentialFlags,
} from './credential.ts';
import { doctor, fix } from './doctor.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { buildImages } from './images.ts';
import { notYet } from './not-yet.ts';
import { appFolder } from './places.ts';
import type { RunFlags } from './run-request.ts';
import { run } from './run.ts';
import { serve, type ServeFlags } from './serve.ts';
import { answerQuestion, type AnswerFlags } from './answer.ts';
import {
  acceptSession,
  discardSession,
  listSessions,
  reviewSession,
  stopSession,
} from './session.ts';
import { printTimeline, verifyTimeline, type TimelineFlags } from './timeline.ts';
import { withHost, type Invocation } from './with-host.ts';

const several = (value: string, before: readonly string[]): readonly string[] => [...before, value];

const version = (): string => {
  const { version: found } = JSON.parse(readFileSync(join(appFolder, 'package.json'), 'utf8')) as {
    version: string;
  };
  return found;
};

/** Runs one command line to its exit status. Nothing here ends the process. */
export const runCommandLine = async (
  args: readonly string[],
  around: Surroundings,
): Promise<number> => {
  let status: number = EXIT.done;
  const SHELL = { shell: 'command line' };
  const hosted = async (task: (invocation: Invocation) => Promise<number>): Promise<void> => {
    status = await withHost(around, SHELL, task);
  };

  const program = new Command('glovebox')
    .description('Runs AI coding assistants in a sealed container.')
    .version(version())
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => void around.stdout.write(text),
      writeErr: (text) => void around.stderr.write(text),
    });

  program
    .command('run')
    .description('start a session for one command and end with its exit status')
    .option('--project <dir>', 'folder to work on', '.')
    .option('--assistant <name>', ASSISTANTS.join(', '))
    .option('--image <image>', 'an image of your own (not yet)')
    .option('--workspace <mode>', 'overlay, live or clone (clone: not yet)', 'overlay')
    .option(
      '--grant <credential[@host[:port],…]>',
      'lend a credential (repeat); "NAME@HOST methods=GET,POST path=/v1/* site=bearer" narrows it',
      several,
      [],
    )
    .option('--allow <host[:port]>', 'let it reach a host (repeat)', several, [])
    .option('--deny <host[:port]>', 'never let it reach a host (repeat)', several, [])
    .option(
      '--pass-through <host[:port]>',
      'pass a host’s TLS on unopened, not inspected (repeat)',
      several,
      [],
    )
    .option('--default <verdict>', 'for hosts that no rule names: deny, allow, or ask a person')
    .option('--policy <file>', 'policy file (YAML)')
    .option(
      '--resolve <host:port:address[:port]>',
      'lead a destination elsewhere (repeat)',
      several,
      [],
    )
    .option('--dns <address[:port]>', 'resolver that the broker asks')
    .option('--upstream-ca <file>', 'further authorities trusted upstream (PEM)')
    .option('--hide <path>', 'hide a path of the project (repeat)', several, [])
    .option('--show <path>', 'show a path that would be hidden (repeat)', several, [])
    .option('--ttl <duration>', 'stop after 90m, 2h …')
    .option('--memory <size>', '512m, 8g …')
    .option('--cpus <n>', 'processor cores')
    .option('--keep', 'keep changes for review (they always are)')
    .option('--timeline <file>', 'write the timeline there at the end, as JSON lines')
    .option('--quiet', 'say nothing but failures')
    .argument('[command...]', 'what to run; the assistant itself when left out')
    .passThroughOptions()
    .action(async (command: string[], flags: RunFlags) => {
      status = await withHost(around, { ...SHELL, quiet: flags.quiet === true }, (invocation) =>
        run(invocation, flags, command),
      );
    });

  const credential = program.command('credential').description('the credentials you can lend');
  credential
    .command('add <name>')
    .description('store a secret, read from standard input or a hidden prompt')
    .requiredOption(
      '--kind <kind>',
      [...PROVIDER_KINDS, ...MEDIATED_KINDS, ...GENERIC_KINDS].join(', '),
    )
    .option('--host <host[:port]>', 'where it may be used (repeat)', several, [])
    .option('--env <variable>', 'variable that holds the placeholder inside')
    .option('--stdin', 'read the secret from standard input')
    .action((name: string, flags: CredentialFlags) =>
      hosted((invocation) => addCredential(invocation, name, flags)),
    );
  credential
    .command('list')
    .description('name, kind, hosts, variable, date')
    .option('--json', 'as JSON')
    .action((flags: { json?: boolean }) =>
      hosted((invocation) => listCredentials(invocation, flags.json === true)),
    );
  credential
    .command('remove <name>')
    .description('forget a credential')
    .action((name: string) => hosted((invocation) => removeCredential(invocation, name)));
  credential
    .command('rotate <name>')
    .description('replace its secret')
    .option('--stdin', 'read the secret from standard input')
    .action((name: string, flags: { stdin?: boolean }) =>
      hosted((invocation) => rotateCredential(invocation, name, flags.stdin === true)),
    );

  const session = program.command('session').description('sessions and what they changed');
  session
    .command('list')
    .option('--json', 'as JSON')
    .description('id, state, assistant, changes, start, project')
    .action((flags: { json?: boolean }) =>
      hosted((invocation) => listSessions(invocation, flags.json === true)),
    );
  session
    .command('attach <id>')
    .description('join a running session’s terminal (not yet)')
    .action(() => {
      const later = notYet('attach');
      if (later.ok) return;
      sayFailure(createConsole(around), later.error);
      status = exitCodeOf(later.error);
    });
  session
    .command('stop <id>')
    .description('end a session; its changes are kept')
    .action((id: string) => hosted((invocation) => stopSession(invocation, id)));
  session
    .command('answer <id> [question] [verdict]')
    .description('list its open questions, or answer one: allow or deny')
    .option('--session', 'the answer counts until the session ends')
    .option('--json', 'list as JSON')
    .action(
      (id: string, question: string | undefined, verdict: string | undefined, flags: AnswerFlags) =>
        hosted((invocation) => answerQuestion(invocation, id, question, verdict, flags)),
    );
  session
    .command('review <id>')
    .description('list what it changed')
    .option('--json', 'as JSON')
    .action((id: string, flags: { json?: boolean }) =>
      hosted((invocation) => reviewSession(invocation, id, flags.json === true)),
    );
  session
    .command('accept <id> [path...]')
    .description('bring its changes into the project (single paths: not yet)')
    .action((id: string, paths: string[]) =>
      hosted((invocation) => acceptSession(invocation, id, paths)),
    );
  session
    .command('discard <id>')
    .description('throw its changes away')
    .action((id: string) => hosted((invocation) => discardSession(invocation, id)));

  const timeline = program
    .command('timeline')
    .description('what crossed the wall, one JSON object a line')
    .argument('<id>')
    .option('--format <format>', 'jsonl or har (otlp: not yet)', 'jsonl')
    .option('--follow', 'go on until the session has ended')
    .action((id: string, flags: TimelineFlags) =>
      hosted((invocation) => printTimeline(invocation, id, flags)),
    );
  timeline
    .command('verify <id>')
    .description('find out whether the record was edited')
    .action((id: string) => hosted((invocation) => verifyTimeline(invocation, id)));

  program
    .command('doctor')
    .description('what works on this machine, and how to mend what does not')
    .option('--fix', 'install and start what is missing')
    .action(async (flags: { fix?: boolean }) => {
      if (flags.fix === true) await fix(around);
      status = await doctor(around);
    });
  program
    .command('serve')
    .description('the window in a browser, on loopback')
    .option('--port <n>', 'any free one when left out')
    .option('--open', 'open it in the default browser')
    .option(
      '--resolve <host:port:address[:port]>',
      'lead a destination elsewhere, in every session (repeat)',
      several,
      [],
    )
    .option('--dns <address[:port]>', 'resolver that every session’s broker asks')
    .option('--upstream-ca <file>', 'further authorities trusted upstream (PEM)')
    .action(async (flags: ServeFlags) => {
      status = await serve(around, flags);
    });
  program
    .command('images')
    .description('sandbox images')
    .command('build [assistant...]')
    .description('build what is missing')
    .action(async (names: string[]) => {
      status = await buildImages(around, names);
    });

  try {
    await program.parseAsync([...args], { from: 'user' });
    return status;
  } catch (reason) {
    // Commander has said what is wrong; asking for help or the version is no failure.
    if (reason instanceof CommanderError) return reason.exitCode === 0 ? EXIT.done : EXIT.failed;
    throw reason;
  }
};
