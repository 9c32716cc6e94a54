import type { ReactNode } from 'react';
import type { EgressDraft } from '../../../../app/contract/index.ts';
import { formatBytes, formatSpan } from '../../../ui/format.ts';
import { useNow } from '../../../ui/use-now.ts';
import { hostAndPort, programWords, PROTOCOL_WORDS, type RowWords } from '../words.ts';
import styles from './open-requests.module.css';
import { RowContent } from './row.tsx';
import rowStyles from './row.module.css';

/** Most that are listed; the rest is a number. */
const MAX_SHOWN = 4;

/** Requests under way: they have no record yet and become rows when they end. */
export const OpenRequests = ({ open }: { readonly open: readonly EgressDraft[] }): ReactNode => {
  const now = useNow(1000);
  const more = open.length - MAX_SHOWN;
  return (
    <ul className={styles.open} aria-label="Requests under way">
      {open.slice(0, MAX_SHOWN).map((draft) => {
        const words: RowWords = {
          tone: 'pending',
          sign: '⋯',
          verdict: 'under way',
          what: hostAndPort(draft.host, draft.port),
          mono: false,
          keepEnd: true,
          more: [draft.method ?? PROTOCOL_WORDS[draft.protocol], draft.path ?? ''].join(' '),
          right: `${draft.inspected ? '' : 'not inspected · '}${formatSpan(now - Date.parse(draft.at))}`,
          credential: draft.credential,
          who: programWords(draft.program),
          figures: draft.bytesOut > 0 ? `${formatBytes(draft.bytesOut)} out` : undefined,
          reason: undefined,
          firstSeen: draft.firstSeen === true,
        };
        return (
          <li
            key={draft.id}
            className={`${rowStyles.row} ${styles.item}`}
            data-tone="pending"
            data-testid="timeline-open"
          >
            <RowContent words={words} at={draft.at} />
          </li>
        );
      })}
      {more > 0 && <li className={styles.more}>{more} more under way</li>}
    </ul>
  );
};
