import type { ReactNode } from 'react';
import { IconButton } from '../ui/button.tsx';
import { cx } from '../ui/class-names.ts';
import { HostileText } from '../ui/hostile-text.tsx';
import { IconCheck, IconClose, IconWarning } from '../ui/icons.ts';
import { useAppStore } from './app.ts';
import styles from './toast-list.module.css';

/** What was done or failed a moment ago, at the foot of the window. */
export const ToastList = (): ReactNode => {
  const toasts = useAppStore('toasts', (state) => state.toasts);
  const close = useAppStore('toasts', (state) => state.close);
  return (
    <section className={styles.list} aria-label="Messages" aria-live="polite">
      {toasts.map(({ id, title, problem }) => (
        <div
          key={id}
          className={cx(styles.toast, problem !== undefined && styles.failed)}
          role={problem === undefined ? 'status' : 'alert'}
          data-testid="toast"
          data-code={problem?.code}
        >
          {problem === undefined ? (
            <IconCheck size={15} aria-hidden="true" />
          ) : (
            <IconWarning size={15} aria-hidden="true" />
          )}
          <div className={styles.words}>
            <strong>
              <HostileText>{title}</HostileText>
            </strong>
            {problem !== undefined && (
              <>
                <p>
                  <HostileText>{problem.message}</HostileText>
                </p>
                {problem.hint !== undefined && (
                  <p className={styles.hint}>
                    <HostileText>{problem.hint}</HostileText>
                  </p>
                )}
                <code>{problem.code}</code>
              </>
            )}
          </div>
          <IconButton
            label="Close message"
            onClick={() => {
              close(id);
            }}
          >
            <IconClose size={14} />
          </IconButton>
        </div>
      ))}
    </section>
  );
};
