import type { ReactNode } from 'react';
import type { Problem } from '../../app/contract/index.ts';
import styles from './notice.module.css';
import { cx } from './class-names.ts';
import { HostileText } from './hostile-text.tsx';
import { IconWarning } from './icons.ts';

/** What went wrong, its code, and what to do. */
export const ProblemNotice = ({
  tried,
  problem,
  action,
  look = 'deny',
}: {
  /** What was attempted: `Reading the folder failed`. */
  readonly tried?: string;
  readonly problem: Problem;
  readonly action?: ReactNode;
  readonly look?: 'deny' | 'ask';
}): ReactNode => (
  <div
    className={cx(styles.notice, styles[look])}
    role={look === 'deny' ? 'alert' : 'status'}
    data-testid="problem"
    data-code={problem.code}
  >
    <IconWarning size={15} className={styles.sign} aria-hidden="true" />
    <div className={styles.words}>
      {tried !== undefined && <strong>{tried}</strong>}
      <p>
        <HostileText>{problem.message}</HostileText>
      </p>
      {problem.hint !== undefined && (
        <p className={styles.hint}>
          <HostileText>{problem.hint}</HostileText>
        </p>
      )}
      <code className={styles.code}>{problem.code}</code>
    </div>
    {action !== undefined && <div className={styles.action}>{action}</div>}
  </div>
);

/** A view with nothing in it yet: what would be here, and how it comes to be. */
export const Empty = ({
  title,
  children,
  icon,
  action,
  testId,
}: {
  readonly title: string;
  readonly children?: ReactNode;
  readonly icon?: ReactNode;
  readonly action?: ReactNode;
  readonly testId?: string;
}): ReactNode => (
  <div className={styles.empty} data-testid={testId}>
    {icon}
    <strong>{title}</strong>
    {children !== undefined && <p>{children}</p>}
    {action}
  </div>
);

/** Something is being fetched. */
export const Waiting = ({ children }: { readonly children: ReactNode }): ReactNode => (
  <p className={styles.waiting} role="status">
    <span className={styles.pulse} aria-hidden="true" />
    {children}
  </p>
);
