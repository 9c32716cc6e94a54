import type { ReactNode } from 'react';
import { formatInstant } from './format.ts';
import { escapeHostile } from './hostile-text.tsx';

/**
 * A point in time, in words of the user's own time zone. The whole of it, local and in UTC as the record
 * has it, shows under the pointer; programs read the latter.
 */
export const Instant = ({
  at,
  className,
  children,
}: {
  /** RFC 3339, UTC. */
  readonly at: string;
  readonly className?: string | undefined;
  readonly children: ReactNode;
}): ReactNode => (
  <time
    className={className}
    dateTime={at}
    title={escapeHostile(`${formatInstant(at)} local time, ${at} in UTC`)}
  >
    {children}
  </time>
);
