import { useEffect, useState, type ReactNode } from 'react';
import type { Guarantee } from '../../../app/contract/index.ts';
import { useAppStore } from '../../shell/app.ts';
import { useAction } from '../../shell/shortcuts.ts';
import { Dialog } from '../../ui/dialog.tsx';
import { HostileText } from '../../ui/hostile-text.tsx';
import { ProblemNotice, Waiting } from '../../ui/notice.tsx';
import styles from './guarantees.module.css';

const SIGNS: Readonly<Record<Guarantee['state'], string>> = {
  enforced: '✓',
  partial: '◐',
  absent: '✕',
};

/** What holds on this machine, promise by promise: the same table as in the documentation. */
export const GuaranteesDialog = (): ReactNode => {
  const [open, setOpen] = useState(false);
  const guarantees = useAppStore('status', (state) => state.guarantees);
  const problem = useAppStore('status', (state) => state.guaranteesProblem);
  const load = useAppStore('status', (state) => state.loadGuarantees);
  useAction('guarantees.show', () => {
    setOpen(true);
  });
  useEffect(() => {
    if (open) void load();
  }, [open, load]);
  return (
    <Dialog
      open={open}
      onClose={() => {
        setOpen(false);
      }}
      title="What is promised here"
      description="Whatever runs inside a session is held to these, on this machine and this engine."
      width="l"
      testId="guarantees"
    >
      {problem !== undefined && <ProblemNotice problem={problem} />}
      {guarantees === undefined && problem === undefined && <Waiting>Asking the host</Waiting>}
      <ul className={styles.list}>
        {guarantees?.map((guarantee) => (
          <li key={guarantee.id} className={styles.row} data-state={guarantee.state}>
            <span className={styles.id}>{guarantee.id}</span>
            <span>
              {guarantee.promise}
              {guarantee.note !== '' && (
                <small className={styles.note}>
                  <HostileText>{guarantee.note}</HostileText>
                </small>
              )}
            </span>
            <span className={styles[guarantee.state]}>
              <span aria-hidden="true">{SIGNS[guarantee.state]}</span> {guarantee.state}
            </span>
          </li>
        ))}
      </ul>
    </Dialog>
  );
};
