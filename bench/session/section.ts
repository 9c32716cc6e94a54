import { createTestFolder } from '../../e2e/fixtures/folder.ts';
import { startTestHost } from '../../e2e/fixtures/host.ts';
import { requestFor } from '../../e2e/fixtures/inside.ts';
import { ratioLine, say } from '../output.ts';
import { median } from '../statistics.ts';
import { startPlainContainers } from './plain-container.ts';
import { runSession } from './run-once.ts';

const STARTS = 7;

export type SessionResult = { readonly startMs: number; readonly containerMs: number };

/** How long a session takes to its first byte, next to a plain container of the same image. */
export const benchSession = async (): Promise<SessionResult> => {
  const { host, scope, env } = await startTestHost();
  try {
    const project = scope.use(createTestFolder('gbx-bench-'));
    const request = requestFor(project.path, { command: ['echo', 'ready'] });
    say('session: warming up images and caches');
    await runSession(host, request);
    const plain = await startPlainContainers(env, project.path, scope);
    await plain.firstByteMs(['echo', 'ready']);
    say(`session: ${String(STARTS)} starts of each kind, in turn`);
    const sessions: number[] = [];
    const containers: number[] = [];
    for (let at = 0; at < STARTS; at += 1) {
      sessions.push((await runSession(host, request)).firstByteMs);
      containers.push(await plain.firstByteMs(['echo', 'ready']));
    }
    return { startMs: median(sessions), containerMs: median(containers) };
  } finally {
    await scope.close();
  }
};

export const sessionReport = ({ startMs, containerMs }: SessionResult): string =>
  ratioLine('start to first shell byte / docker run', startMs, containerMs, 'ms');
