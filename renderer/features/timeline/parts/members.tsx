import type { ReactNode } from 'react';
import type { TimelineEvent } from '../../../../app/contract/index.ts';
import { formatExactTime, plural } from '../../../ui/format.ts';
import { HostileText } from '../../../ui/hostile-text.tsx';
import { Instant } from '../../../ui/instant.tsx';
import { projectPath } from '../words.ts';
import styles from './details.module.css';

/** Most members of a folded row that are listed. */
const MAX_MEMBERS = 100;

const membersOf = (events: readonly TimelineEvent[], project: string): readonly string[] => {
  const names = new Set<string>();
  for (const event of events) {
    if (event.kind === 'touch') names.add(projectPath(event.path, project));
    if (event.kind === 'egress') names.add(event.at);
  }
  return Array.from(names);
};

/** What a folded row stands for: the files that were touched, or the times of the requests. */
export const Members = ({
  events,
  project,
}: {
  readonly events: readonly TimelineEvent[];
  readonly project: string;
}): ReactNode => {
  const members = events.length > 1 ? membersOf(events, project) : [];
  if (members.length === 0) return null;
  const files = events[0]?.kind === 'touch';
  return (
    <>
      <h3 className={styles.heading}>
        {files ? plural(members.length, 'file') : plural(members.length, 'time')}
      </h3>
      <ul className={styles.members}>
        {members.slice(0, MAX_MEMBERS).map((name) => (
          <li key={name}>
            {files ? (
              <HostileText>{name}</HostileText>
            ) : (
              <Instant at={name}>{formatExactTime(name)}</Instant>
            )}
          </li>
        ))}
        {members.length > MAX_MEMBERS && <li>and {members.length - MAX_MEMBERS} more</li>}
      </ul>
    </>
  );
};
