import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Dialog as Base } from '@base-ui/react/dialog';
import type { ReactNode, RefObject } from 'react';
import { IconButton } from './button.tsx';
import { cx } from './class-names.ts';
import styles from './dialog.module.css';
import { IconClose } from './icons.ts';

export type DialogProps = {
  readonly open: boolean;
  readonly onClose: () => void;
  readonly title: ReactNode;
  readonly description?: ReactNode;
  readonly children?: ReactNode;
  /** Buttons at the foot. */
  readonly actions?: ReactNode;
  readonly width?: 's' | 'm' | 'l';
  /** Which element has the focus first. */
  readonly focus?: RefObject<HTMLElement | null>;
  readonly testId?: string;
};

/** A sheet over the window. Escape and a press beside it close it. */
export const Dialog = ({
  open,
  onClose,
  title,
  description,
  children,
  actions,
  width = 'm',
  focus,
  testId,
}: DialogProps): ReactNode => (
  <Base.Root
    open={open}
    onOpenChange={(next) => {
      if (!next) onClose();
    }}
  >
    <Base.Portal>
      <Base.Backdrop className={styles.scrim} />
      <Base.Popup
        className={cx(styles.popup, styles[width])}
        data-modal=""
        data-testid={testId}
        {...(focus === undefined ? {} : { initialFocus: focus })}
      >
        <header className={styles.head}>
          <Base.Title className={styles.title}>{title}</Base.Title>
          <Base.Close
            render={
              <IconButton label="Close">
                <IconClose size={15} />
              </IconButton>
            }
          />
        </header>
        {description !== undefined && (
          <Base.Description className={styles.description}>{description}</Base.Description>
        )}
        {children}
        {actions !== undefined && <footer className={styles.actions}>{actions}</footer>}
      </Base.Popup>
    </Base.Portal>
  </Base.Root>
);

/** A question before something that cannot be undone; only its buttons and Escape close it. */
export const Confirm = ({
  open,
  onClose,
  title,
  description,
  children,
  actions,
  width = 's',
  focus,
  testId,
}: DialogProps): ReactNode => (
  <AlertDialog.Root
    open={open}
    onOpenChange={(next) => {
      if (!next) onClose();
    }}
  >
    <AlertDialog.Portal>
      <AlertDialog.Backdrop className={styles.scrim} />
      <AlertDialog.Popup
        className={cx(styles.popup, styles[width])}
        data-modal=""
        data-testid={testId}
        {...(focus === undefined ? {} : { initialFocus: focus })}
      >
        <header className={styles.head}>
          <AlertDialog.Title className={styles.title}>{title}</AlertDialog.Title>
        </header>
        <AlertDialog.Description className={styles.description}>
          {description}
        </AlertDialog.Description>
        {children}
        <footer className={styles.actions}>{actions}</footer>
      </AlertDialog.Popup>
    </AlertDialog.Portal>
  </AlertDialog.Root>
);
