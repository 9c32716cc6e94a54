import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { OpenQuestion, TimelineEvent } from '../../app/contract/index.ts';
import { unwrap } from '../../app/kit/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { startTestHost, type TestHost } from '../fixtures/host.ts';
import { openInside, requestFor, type Inside } from '../fixtures/inside.ts';
import { createTestProject } from '../fixtures/project.ts';
import { createTestAuthority } from '../upstreams/authority.ts';
import { startRecordingServer, type RecordingServer } from '../upstreams/recording-server.ts';

/** Destinations that no rule names, in a real sandbox, with a person who answers through the host. */

const HOST = 'asked.example';
const OTHER = 'other.example';

let test: TestHost;
let inside: Inside;
let server: RecordingServer;

beforeAll(async () => {
  test = await startTestHost();
  const { scope, host } = test;
  const authority = await createTestAuthority();
  const files = scope.use(createTestFolder('gbx-ca-'));
  files.write({ 'ca.pem': authority.certificate });
  server = scope.use(
    await startRecordingServer({ identity: await authority.issue([HOST, OTHER]) }),
  );
  const project = scope.use(createTestProject());
  inside = await openInside(
    host,
    requestFor(project.path, {
      network: {
        default: 'ask',
        presets: [],
        allow: [],
        deny: ['denied.example'],
        resolve: [HOST, OTHER].map((name) => `${name}:443:127.0.0.1:${String(server.port)}`),
        upstreamCa: join(files.path, 'ca.pem'),
      },
    }),
  );
});
afterAll(async () => {
  await inside.close();
  await test.scope.close();
});

const curl = (url: string): string => `curl -sS -k -m 30 -D - '${url}'`;

const nextQuestion = (): Promise<OpenQuestion> =>
  new Promise((resolve) => {
    const look = (): boolean => {
      const [question] = test.host.sessions.get(inside.session)?.questions ?? [];
      if (question !== undefined) resolve(question);
      return question !== undefined;
    };
    if (look()) return;
    const off = test.host.sessions.onChange(() => {
      if (look()) off();
    });
  });

const approvals = (): TimelineEvent[] =>
  unwrap(unwrap(test.host.sessions.timeline(inside.session)).since(0, 10_000)).filter(
    ({ kind }) => kind === 'approval',
  );

describe('a destination that no rule names', () => {
  it('is refused at once where nobody is there to ask', async () => {
    const { stdout } = await inside.run(curl(`https://${HOST}/early`));
    expect(stdout).toContain('ask.nobody');
    expect(server.requests).toEqual([]);
  });

  it('waits for the answer, and is reached only with it', async () => {
    const leave = test.host.sessions.attend();
    const running = inside.run(curl(`https://${HOST}/v1/things`));
    const question = await nextQuestion();
    expect(question).toMatchObject({ what: 'destination', host: HOST, port: 443, method: 'GET' });
    expect(question.path).toBe('/v1/things');
    expect(question.program?.command[0]).toMatch(/curl$/);
    expect(server.requests).toEqual([]);
    const reply = { verdict: 'allow', scope: 'session' } as const;
    unwrap(await test.host.sessions.answer(inside.session, question.id, reply));
    expect((await running).stdout).toContain('HTTP/1.1 200');
    expect(server.requests.map(({ url }) => url)).toEqual(['/v1/things']);
    // For the session, and for this destination alone.
    expect((await inside.run(curl(`https://${HOST}/more`))).stdout).toContain(' 200');
    const other = inside.run(curl(`https://${OTHER}/x`));
    const second = await nextQuestion();
    expect(second.host).toBe(OTHER);
    unwrap(
      await test.host.sessions.answer(inside.session, second.id, {
        verdict: 'deny',
        scope: 'once',
      }),
    );
    expect((await other).stdout).toContain('ask.denied');
    expect(server.requests).toHaveLength(2);
    leave();
    await expect
      .poll(() => approvals().map((event) => event.kind === 'approval' && event.answer))
      .toEqual(['nobody', 'allowed', 'denied']);
  });

  it('asks nothing where a rule refuses', async () => {
    const leave = test.host.sessions.attend();
    const { stdout } = await inside.run(curl('https://denied.example/'));
    expect(stdout).toContain('egress.denied-by-rule');
    leave();
  });
});
