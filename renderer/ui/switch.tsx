import { Switch as Base } from '@base-ui/react/switch';
import type { ReactNode } from 'react';
import styles from './switch.module.css';

/** On or off, at once. */
export const Switch = ({
  label,
  checked,
  onChange,
  disabled = false,
  testId,
}: {
  readonly label: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
  readonly disabled?: boolean;
  readonly testId?: string;
}): ReactNode => (
  <Base.Root
    className={styles.track}
    aria-label={label}
    checked={checked}
    disabled={disabled}
    onCheckedChange={(next) => {
      onChange(next);
    }}
    data-testid={testId}
  >
    <Base.Thumb className={styles.thumb} />
  </Base.Root>
);
