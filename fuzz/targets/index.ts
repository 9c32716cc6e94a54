import type { Target } from '../target.ts';
import { ANSWER_TARGETS } from './answers.ts';
import { EXCHANGE_TARGETS } from './exchanges.ts';
import { CONTENT_TARGETS } from './contents.ts';
import { GIT_TARGETS } from './git.ts';
import { HTTP1_TARGET } from './http1.ts';
import { HTTP2_TARGET } from './http2.ts';
import { LINK_TARGET } from './link.ts';
import { NAME_TARGETS } from './names.ts';
import { POLICY_TARGETS } from './policy.ts';
import { TLS_TARGETS } from './tls.ts';
import { TOKEN_TARGETS } from './tokens.ts';
import { WEBSOCKET_TARGETS } from './websocket.ts';
import { WIRE_TARGETS } from './wires.ts';

/** All that is fuzzed. */
export const TARGETS: readonly Target[] = [
  ...TLS_TARGETS,
  ...NAME_TARGETS,
  ...WIRE_TARGETS,
  ...POLICY_TARGETS,
  ...GIT_TARGETS,
  ...TOKEN_TARGETS,
  ...WEBSOCKET_TARGETS,
  ...CONTENT_TARGETS,
  ...ANSWER_TARGETS,
  ...EXCHANGE_TARGETS,
  HTTP1_TARGET,
  HTTP2_TARGET,
  LINK_TARGET,
];

export const targetNamed = (name: string): Target | undefined =>
  TARGETS.find((target) => target.name === name);
