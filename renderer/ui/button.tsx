import type { ComponentProps, ReactNode } from 'react';
import styles from './button.module.css';
import { cx } from './class-names.ts';
import { Kbd } from './kbd.tsx';

export type ButtonProps = Omit<ComponentProps<'button'>, 'className' | 'type'> & {
  readonly look?: 'plain' | 'primary' | 'ghost' | 'danger' | 'danger-solid';
  readonly size?: 'm' | 's';
  readonly wide?: boolean;
  /** The key that does the same, shown beside the words. */
  readonly keys?: string | undefined;
  /** Under way: shown, and not pressed twice. */
  readonly busy?: boolean;
  readonly type?: 'button' | 'submit';
};

/** A button; its words say what it does. */
export const Button = ({
  look = 'plain',
  size = 'm',
  wide = false,
  keys,
  busy = false,
  type = 'button',
  disabled,
  children,
  ...rest
}: ButtonProps): ReactNode => (
  <button
    {...rest}
    type={type === 'submit' ? 'submit' : 'button'}
    className={cx(styles.button, styles[look], size === 's' && styles.small, wide && styles.wide)}
    disabled={disabled === true || busy}
    aria-busy={busy || undefined}
  >
    {busy && <span className={styles.spinner} aria-hidden="true" />}
    {children}
    {keys !== undefined && <Kbd keys={keys} />}
  </button>
);

/** A square button that is only a picture; its label is said and shown on hover. */
export const IconButton = ({
  label,
  keys,
  children,
  ...rest
}: Omit<ButtonProps, 'look' | 'size' | 'wide' | 'busy'> & {
  readonly label: string;
}): ReactNode => (
  <button
    {...rest}
    type="button"
    className={styles.icon}
    aria-label={label}
    title={keys === undefined ? label : `${label} (${keys})`}
  >
    {children}
  </button>
);
