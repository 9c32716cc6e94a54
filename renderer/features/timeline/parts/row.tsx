import type { ReactNode } from 'react';
import { cx } from '../../../ui/class-names.ts';
import { formatTime } from '../../../ui/format.ts';
import { HostileText } from '../../../ui/hostile-text.tsx';
import type { RowWords } from '../words.ts';
import styles from './row.module.css';

/** Two lines of one fact; a refusal has a third with its reason. */
export const RowContent = ({
  words,
  at,
}: {
  readonly words: RowWords;
  readonly at: string;
}): ReactNode => (
  <>
    <time className={styles.time} dateTime={at}>
      {formatTime(at)}
    </time>
    <span className={cx(styles.sign, styles[words.tone])} aria-hidden="true">
      {words.sign}
    </span>
    <span className={styles.what}>
      <span className="visually-hidden">{words.verdict}: </span>
      {words.mono ? (
        <span className="mono">
          <HostileText>{words.what}</HostileText>
        </span>
      ) : (
        <b className={styles.host}>
          <HostileText>{words.what}</HostileText>
        </b>
      )}
      {words.more !== undefined && (
        <span className={cx('mono', styles.more)}>
          {' '}
          <HostileText>{words.more}</HostileText>
        </span>
      )}
    </span>
    <span className={styles.right}>
      {words.firstSeen && <span className={styles.new}>NEW</span>}
      {words.right}
    </span>
    <span className={cx(styles.who, words.figures === undefined && styles.wide)}>
      {words.credential !== undefined && (
        <>
          <span className={styles.credential}>{words.credential}</span>{' '}
        </>
      )}
      <HostileText>{words.who}</HostileText>
    </span>
    {words.figures !== undefined && <span className={styles.figures}>{words.figures}</span>}
    {words.reason !== undefined && (
      <span className={styles.reason}>
        <HostileText>{words.reason}</HostileText>
      </span>
    )}
  </>
);
