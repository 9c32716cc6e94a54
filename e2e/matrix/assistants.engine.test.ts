import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AssistantName } from '../../app/contract/index.ts';
import type { ClientName } from './claims.ts';
import { claimedClients, expectClaimHolds, heldClients } from './holds.ts';
import { anthropicService, geminiService, openaiService, openaiSocket } from './models.ts';
import { openMatrix, type Matrix } from './rig.ts';
import { findInside } from './secret.ts';
import { startUpstream, type Service, type SocketService, type Upstream } from './upstream.ts';

/** Once true, the model's service wants events instead of a WebSocket. */
let socketsClosed = false;

type Case = {
  readonly assistant: AssistantName;
  readonly kind: string;
  readonly host: string;
  readonly variable: string;
  readonly secret: string;
  readonly service: (secret: string) => Service;
  readonly socket?: (secret: string) => SocketService;
  readonly runs: readonly {
    readonly client: ClientName;
    readonly command: string;
    readonly program: RegExp;
    readonly login: (secret: string) => string;
    readonly method?: string;
    readonly before?: () => void;
  }[];
};

const ANTHROPIC = {
  kind: 'anthropic',
  host: 'api.anthropic.com',
  variable: 'ANTHROPIC_API_KEY',
  secret: 'sk-ant-api03-REALKEY-matrix-5b0c2c7e41aa9f60d3-AA',
  service: anthropicService,
} as const;

const itself = (secret: string): string => secret;
const bearer = (secret: string): string => `Bearer ${secret}`;

const CASES: readonly Case[] = [
  {
    ...ANTHROPIC,
    assistant: 'claude-code',
    runs: [
      {
        client: 'Claude Code',
        command: 'claude -p "say hello"',
        program: /claude/,
        login: itself,
      },
    ],
  },
  {
    assistant: 'codex',
    kind: 'openai',
    host: 'api.openai.com',
    variable: 'OPENAI_API_KEY',
    secret: 'sk-proj-REALKEY-matrix-9d41b7c05f8e2a6b3c',
    service: openaiService,
    socket: (secret) => openaiSocket(secret, () => socketsClosed),
    runs: [
      {
        client: 'Codex',
        command: 'codex exec --skip-git-repo-check "say hello"',
        program: /codex/,
        login: bearer,
        method: 'GET',
      },
      {
        client: 'Codex, server-sent events',
        command: 'codex exec --skip-git-repo-check "say hello"',
        program: /codex/,
        login: bearer,
        method: 'POST',
        before: () => {
          socketsClosed = true;
        },
      },
    ],
  },
  {
    assistant: 'gemini-cli',
    kind: 'gemini',
    host: 'generativelanguage.googleapis.com',
    variable: 'GEMINI_API_KEY',
    secret: 'AIzaREALKEYmatrix0c77a1f88e2b451d0aa',
    service: geminiService,
    runs: [
      { client: 'Gemini CLI', command: 'gemini -p "say hello"', program: /gemini/, login: itself },
    ],
  },
  {
    ...ANTHROPIC,
    assistant: 'opencode',
    runs: [
      {
        client: 'opencode',
        command: 'opencode run "say hello"',
        program: /opencode/,
        login: itself,
      },
    ],
  },
];

describe.each(CASES)('$assistant in its own image', (one) => {
  const { assistant, kind, host, variable, secret } = one;
  let matrix: Matrix;
  let upstream: Upstream;

  beforeAll(async () => {
    matrix = await openMatrix(async ({ authority, scope }) => {
      upstream = scope.use(
        await startUpstream({
          identity: await authority.issue([host]),
          services: { [host]: one.service(secret) },
          sockets: one.socket === undefined ? {} : { [host]: one.socket(secret) },
        }),
      );
      return {
        lent: [{ name: 'model', kind, host: `${host}:443`, secret }],
        routes: { [`${host}:443`]: upstream.port },
      };
    }, assistant);
  });
  afterAll(async () => {
    await matrix.close();
  });

  it.each(one.runs)('$client answers', async (run) => {
    run.before?.();
    const ran = await matrix.inside.run(run.command, 90_000);
    expect(ran.stdout + ran.stderr).toContain('Hello from the model.');
    expect(ran.status).toBe(0);
    await expectClaimHolds(
      {
        client: run.client,
        host,
        secret,
        credential: 'model',
        variable,
        login: run.login(secret),
        program: run.program,
        ...(run.method === undefined ? {} : { method: run.method }),
      },
      matrix,
      upstream,
      ran,
    );
  });

  it('never holds the key', async () => {
    const { stdout } = await matrix.inside.run(findInside([secret]));
    expect(stdout.trim()).toBe('found: []');
  });
});

it('every claim about this family was held', () => {
  expect(heldClients()).toEqual(claimedClients('assistants'));
});
