import type { Mutation } from './mutation.ts';
import { ANSWER_MUTATIONS } from './list/answers.ts';
import { ASKING_MUTATIONS } from './list/asking.ts';
import { FOOTING_MUTATIONS } from './list/footing.ts';
import { HOST_MUTATIONS } from './list/host.ts';
import { POLICY_MUTATIONS } from './list/policy.ts';
import { PROTOCOL_MUTATIONS } from './list/protocols.ts';
import { REQUEST_MUTATIONS } from './list/requests.ts';
import { SERVER_MUTATIONS } from './list/servers.ts';

/** Every protection that is taken away in turn. A test that stays green is a protection that nothing proves. */
export const MUTATIONS: readonly Mutation[] = [
  ...REQUEST_MUTATIONS,
  ...ANSWER_MUTATIONS,
  ...SERVER_MUTATIONS,
  ...PROTOCOL_MUTATIONS,
  ...POLICY_MUTATIONS,
  ...HOST_MUTATIONS,
  ...ASKING_MUTATIONS,
  ...FOOTING_MUTATIONS,
];
