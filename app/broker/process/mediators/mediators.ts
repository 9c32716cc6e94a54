import type { GitRule } from '../../../policy/index.ts';
import type { Asker } from '../asker.ts';
import type { Mediator } from '../mediate.ts';
import { createAwsMediator } from './aws.ts';
import { createGitMediator } from './git.ts';
import { createSelfSignedMediator, createTokenMediator, type TokenDeps } from './tokens.ts';

/** Every mediator of a session, in the order in which a request is shown to them. */
export const createMediators = (
  deps: TokenDeps & { readonly git: readonly GitRule[]; readonly asker: Asker },
): readonly Mediator[] => [
  createAwsMediator(deps.book, deps.clock),
  createTokenMediator(deps),
  createSelfSignedMediator(deps.book, deps.clock),
  createGitMediator(deps.git, deps.book, deps.asker),
];
