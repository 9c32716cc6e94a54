import { useId, type ReactNode } from 'react';
import styles from './section.module.css';

/** A part of the start page: its name, a word about it, and what is in it. */
export const Section = ({
  title,
  note,
  action,
  children,
  testId,
}: {
  readonly title: string;
  readonly note?: ReactNode;
  readonly action?: ReactNode;
  readonly children: ReactNode;
  readonly testId?: string;
}): ReactNode => {
  const id = useId();
  return (
    <section className={styles.section} aria-labelledby={id} data-testid={testId}>
      <div className={styles.head}>
        <h2 id={id}>{title}</h2>
        {note !== undefined && <span className={styles.note}>{note}</span>}
        <span className={styles.space} />
        {action}
      </div>
      {children}
    </section>
  );
};
