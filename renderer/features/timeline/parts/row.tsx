import type { ReactNode } from 'react';
import { cx } from '../../../ui/class-names.ts';
import { formatTime } from '../../../ui/format.ts';
import { escapeHostile, HostileText } from '../../../ui/hostile-text.tsx';
import { Instant } from '../../../ui/instant.tsx';
import type { RowWords } from '../words.ts';
import styles from './row.module.css';

/** Longest name that is cut at its end, if at all; a longer one is cut in its middle. */
const MAX_PLAIN_CHARS = 18;
/** Characters at the end of a long name that always stay in sight. */
const END_CHARS = 14;

const What = ({ words: { what, mono, keepEnd } }: { readonly words: RowWords }): ReactNode => {
  const face = mono ? 'mono' : styles.host;
  const letters = Array.from(what);
  if (!keepEnd || letters.length <= MAX_PLAIN_CHARS) {
    return (
      <span className={cx(face, styles.what)}>
        <HostileText>{what}</HostileText>
      </span>
    );
  }
  return (
    <>
      <span className="visually-hidden">
        <HostileText>{what}</HostileText>
      </span>
      <span className={cx(face, styles.halves)} aria-hidden="true">
        <span className={styles.what}>
          <HostileText>{letters.slice(0, -END_CHARS).join('')}</HostileText>
        </span>
        <span>
          <HostileText>{letters.slice(-END_CHARS).join('')}</HostileText>
        </span>
      </span>
    </>
  );
};

/** Two lines of one fact; a refusal or a failure has a third with its reason. */
export const RowContent = ({
  words,
  at,
}: {
  readonly words: RowWords;
  readonly at: string;
}): ReactNode => (
  <>
    <Instant className={styles.time} at={at}>
      {formatTime(at)}
    </Instant>
    <span className={cx(styles.sign, styles[words.tone])} aria-hidden="true">
      {words.sign}
    </span>
    <span className={styles.line} title={escapeHostile(`${words.what} ${words.more ?? ''}`.trim())}>
      <span className="visually-hidden">{words.verdict}: </span>
      <span className={styles.facts}>
        <What words={words} />
        {words.more !== undefined && (
          <span className={cx('mono', styles.more)}>
            {' '}
            <HostileText>{words.more}</HostileText>
          </span>
        )}
      </span>
      <span className={styles.right}>
        {words.firstSeen && (
          <span className={styles.new} title="First seen on this machine">
            NEW
          </span>
        )}
        {words.right}
      </span>
    </span>
    <span className={styles.line}>
      {words.credential !== undefined && (
        <span className={styles.credential} title={words.credential}>
          {words.credential}
        </span>
      )}
      <span className={styles.who} title={escapeHostile(words.who)}>
        <HostileText>{words.who}</HostileText>
      </span>
      {words.figures !== undefined && <span className={styles.figures}>{words.figures}</span>}
    </span>
    {words.reason !== undefined && (
      <span className={styles.reason} title={escapeHostile(words.reason)}>
        <HostileText>{words.reason}</HostileText>
      </span>
    )}
  </>
);
