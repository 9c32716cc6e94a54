import type { ReactNode } from 'react';
import type { NetworkDefault } from '../../../../app/contract/index.ts';
import { assertNever } from '../../../../app/kit/index.ts';
import { IconQuestion } from '../../../ui/icons.ts';
import styles from './header.module.css';

const ASKS = 'Destinations that no rule names wait for your answer';

/** What becomes of destinations that no rule names, where that is not that they are refused. */
export const NetworkPill = ({ network }: { readonly network: NetworkDefault }): ReactNode => {
  switch (network) {
    case 'deny':
      return null;
    case 'ask':
      return (
        <span className={styles.pill} title={ASKS} data-testid="network-asks">
          <IconQuestion size={12} aria-hidden="true" />
          network asks
          <span className="visually-hidden">: {ASKS}</span>
        </span>
      );
    case 'allow':
      return (
        <span
          className={styles.pill}
          data-look="live"
          title="Public destinations pass without a rule"
        >
          network open
        </span>
      );
    default:
      return assertNever(network, 'the mark of a network');
  }
};
