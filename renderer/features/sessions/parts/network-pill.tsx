import type { ReactNode } from 'react';
import type { SessionSummary } from '../../../../app/contract/index.ts';
import { assertNever } from '../../../../app/kit/index.ts';
import { IconQuestion } from '../../../ui/icons.ts';
import styles from './header.module.css';

const ASKS = 'Destinations that no rule names wait for your answer';
const GIT_ASKS = 'Fetches and pushes that a git rule asks about wait for your answer';
const BOTH_ASK =
  'Destinations that no rule names wait for your answer, and so do fetches and pushes that a git rule asks about';

const Asks = ({
  words,
  hint,
  testId,
}: {
  readonly words: string;
  readonly hint: string;
  readonly testId: string;
}): ReactNode => (
  <span className={styles.pill} title={hint} data-testid={testId}>
    <IconQuestion size={12} aria-hidden="true" />
    {words}
    <span className="visually-hidden">: {hint}</span>
  </span>
);

/** What the network leaves to the user's answer, and whether it is open; nothing where it is sealed. */
export const NetworkPill = ({
  network,
  gitAsks = false,
}: Pick<SessionSummary, 'network' | 'gitAsks'>): ReactNode => {
  const git = gitAsks ? <Asks words="git asks" hint={GIT_ASKS} testId="git-asks" /> : null;
  switch (network) {
    case 'deny':
      return git;
    case 'ask':
      return <Asks words="network asks" hint={gitAsks ? BOTH_ASK : ASKS} testId="network-asks" />;
    case 'allow':
      return (
        <>
          <span
            className={styles.pill}
            data-look="live"
            title="Public destinations pass without a rule"
          >
            network open
          </span>
          {git}
        </>
      );
    default:
      return assertNever(network, 'the mark of a network');
  }
};
