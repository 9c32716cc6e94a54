import type { ReactNode } from 'react';
import styles from './kbd.module.css';

/** The key that does what stands beside it. Read out through `aria-keyshortcuts`, so hidden here. */
export const Kbd = ({ keys }: { readonly keys: string }): ReactNode => (
  <kbd className={styles.kbd} aria-hidden="true">
    {keys}
  </kbd>
);
