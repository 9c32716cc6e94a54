import type { ReactNode } from 'react';
import { Button } from '../ui/button.tsx';
import { IconWarning } from '../ui/icons.ts';
import { useNow } from '../ui/use-now.ts';
import { useApp, useAppStore } from './app.ts';
import styles from './banner.module.css';

/** Says that the host does not answer, when it is tried again, and what that means for the sessions. */
export const ConnectionBanner = (): ReactNode => {
  const { client, platform } = useApp();
  const connection = useAppStore('status', (state) => state.connection);
  const now = useNow(1000);
  if (connection.type !== 'lost') return null;
  const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
  return (
    <div className={styles.banner} role="alert" data-testid="connection-lost">
      <IconWarning size={15} aria-hidden="true" />
      <span>
        <strong>Connection to Glovebox lost.</strong> Nothing here is current.
        {!platform.desktop &&
          ' If Glovebox still runs, its sessions go on; if it was started again, open the address that it printed.'}
      </span>
      <span className={styles.when} aria-hidden="true">
        {seconds === 0 ? 'trying now' : `next try in ${seconds} s`}
      </span>
      <Button
        size="s"
        onClick={() => {
          client.retryNow();
        }}
      >
        Try now
      </Button>
    </div>
  );
};
