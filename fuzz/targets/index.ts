import type { Target } from '../target.ts';
import { ANSWER_TARGETS } from './answers.ts';
import { BROKER_TARGETS } from './broker.ts';
import { EXCHANGE_TARGETS } from './exchanges.ts';
import { CONTENT_TARGETS } from './contents.ts';
import { GIT_TARGETS } from './git.ts';
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
  ...BROKER_TARGETS,
];

export const targetNamed = (name: string): Target | undefined =>
  TARGETS.find((target) => target.name === name);
