import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { createTestFolder } from '../../e2e/fixtures/folder.ts';
import { startTestHost } from '../../e2e/fixtures/host.ts';
import { requestFor } from '../../e2e/fixtures/inside.ts';
import { ratioLine, say } from '../output.ts';
import { startPlainContainers } from '../session/plain-container.ts';
import { runSession } from '../session/run-once.ts';
import { median } from '../statistics.ts';

const ROUNDS = 3;
const CLIENT = 'open-client.mjs';

const Figures = z.strictObject({ openUs: z.number(), readUs: z.number() });
type Figures = z.infer<typeof Figures>;

export type GuardResult = { readonly inside: Figures; readonly plain: Figures };

/** What an open and a read of a file cost where the guard sees each of them, next to a plain container. */
export const benchGuard = async (): Promise<GuardResult> => {
  const { host, scope, env } = await startTestHost();
  try {
    const project = scope.use(createTestFolder('gbx-bench-'));
    copyFileSync(join(import.meta.dirname, CLIENT), join(project.path, CLIENT));
    const command = ['node', CLIENT, 'opened'];
    const plain = await startPlainContainers(env, project.path, scope);
    say(`guard: ${String(ROUNDS)} rounds of file opens, in a session and in a container, in turn`);
    const inside: Figures[] = [];
    const outside: Figures[] = [];
    for (let at = 0; at < ROUNDS; at += 1) {
      const { output } = await runSession(host, requestFor(project.path, { command }));
      inside.push(Figures.parse(JSON.parse(output)));
      outside.push(Figures.parse(JSON.parse(await plain.output(command))));
    }
    const middle = (all: readonly Figures[]): Figures => ({
      openUs: median(all.map(({ openUs }) => openUs)),
      readUs: median(all.map(({ readUs }) => readUs)),
    });
    return { inside: middle(inside), plain: middle(outside) };
  } finally {
    await scope.close();
  }
};

export const guardReport = ({ inside, plain }: GuardResult): string =>
  ratioLine('open and close of a file / docker run', inside.openUs, plain.openUs, 'µs') +
  ratioLine('read of a small file / docker run', inside.readUs, plain.readUs, 'µs');
