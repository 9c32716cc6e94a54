import type { ReactNode } from 'react';
import { cx } from './class-names.ts';
import { escapeHostile, HostileText } from './hostile-text.tsx';
import styles from './path-text.module.css';

/** A path in one line, its folder quieter. Where it is too long its folder is cut, not the file's name. */
export const PathText = ({ path }: { readonly path: string }): ReactNode => {
  const name = path.lastIndexOf('/', path.length - 2) + 1;
  return (
    <span className={cx('mono', styles.path)} title={escapeHostile(path)}>
      {name > 0 && (
        <span className={styles.folder}>
          <HostileText>{path.slice(0, name)}</HostileText>
        </span>
      )}
      <span className={styles.name}>
        <HostileText>{path.slice(name)}</HostileText>
      </span>
    </span>
  );
};
