import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Dialog as Base } from '@base-ui/react/dialog';
import type { ComponentType, ReactNode, RefObject } from 'react';
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

type Parts = {
  readonly Root: (props: {
    readonly open: boolean;
    readonly onOpenChange: (open: boolean) => void;
    readonly children: ReactNode;
  }) => ReactNode;
  readonly Portal: ComponentType<{ readonly children: ReactNode }>;
  readonly Backdrop: ComponentType<{ readonly className: string | undefined }>;
  readonly Popup: ComponentType<{
    readonly className: string;
    readonly 'data-modal': '';
    readonly 'data-testid': string | undefined;
    readonly initialFocus?: RefObject<HTMLElement | null>;
    readonly children: ReactNode;
  }>;
  readonly Title: ComponentType<{
    readonly className: string | undefined;
    readonly children: ReactNode;
  }>;
  readonly Description: ComponentType<{
    readonly className: string | undefined;
    readonly children: ReactNode;
  }>;
};

/** What a sheet and a question have in common: a scrim, a title, what it says, buttons at the foot. */
const Frame = ({
  parts: { Root, Portal, Backdrop, Popup, Title, Description },
  open,
  onClose,
  title,
  description,
  children,
  actions,
  width,
  focus,
  testId,
  corner,
}: DialogProps & {
  readonly parts: Parts;
  /** What stands beside the title. */
  readonly corner?: ReactNode;
}): ReactNode => (
  <Root
    open={open}
    onOpenChange={(next) => {
      if (!next) onClose();
    }}
  >
    <Portal>
      <Backdrop className={styles.scrim} />
      <Popup
        className={cx(styles.popup, width === undefined ? undefined : styles[width])}
        data-modal=""
        data-testid={testId}
        {...(focus === undefined ? {} : { initialFocus: focus })}
      >
        <header className={styles.head}>
          <Title className={styles.title}>{title}</Title>
          {corner}
        </header>
        {description !== undefined && (
          <Description className={styles.description}>{description}</Description>
        )}
        {children}
        {actions !== undefined && <footer className={styles.actions}>{actions}</footer>}
      </Popup>
    </Portal>
  </Root>
);

/** A sheet over the window. Escape and a press beside it close it. */
export const Dialog = ({ width = 'm', ...rest }: DialogProps): ReactNode => (
  <Frame
    {...rest}
    width={width}
    parts={Base}
    corner={
      <Base.Close
        render={
          <IconButton label="Close">
            <IconClose size={15} />
          </IconButton>
        }
      />
    }
  />
);

/** A question before something that cannot be undone; only its buttons and Escape close it. */
export const Confirm = ({ width = 's', ...rest }: DialogProps): ReactNode => (
  <Frame {...rest} width={width} parts={AlertDialog} />
);
