import { useId, type ComponentProps, type ReactNode, type Ref } from 'react';
import { cx } from './class-names.ts';
import styles from './field.module.css';

type Common = {
  readonly label: ReactNode;
  readonly hint?: ReactNode;
  /** What is wrong with it and how to put it right. */
  readonly error?: string | undefined;
};

/** A label, its control and, below, a hint or what is wrong. */
export const TextField = ({
  label,
  hint,
  error,
  mono = false,
  inputRef,
  ...rest
}: Common &
  Omit<ComponentProps<'input'>, 'className' | 'id' | 'ref'> & {
    readonly mono?: boolean;
    readonly inputRef?: Ref<HTMLInputElement>;
  }): ReactNode => {
  const id = useId();
  const below = error ?? hint;
  return (
    <div className={styles.field}>
      <label className={styles.label} htmlFor={id}>
        {label}
      </label>
      <input
        spellCheck={false}
        autoComplete="off"
        {...rest}
        ref={inputRef}
        id={id}
        className={cx(styles.input, mono && styles.mono)}
        aria-invalid={error !== undefined || undefined}
        aria-describedby={below === undefined ? undefined : `${id}-below`}
      />
      {below !== undefined && (
        <p id={`${id}-below`} className={error === undefined ? styles.hint : styles.error}>
          {below}
        </p>
      )}
    </div>
  );
};

export const SelectField = ({
  label,
  hint,
  error,
  children,
  ...rest
}: Common & Omit<ComponentProps<'select'>, 'className' | 'id'>): ReactNode => {
  const id = useId();
  const below = error ?? hint;
  return (
    <div className={styles.field}>
      <label className={styles.label} htmlFor={id}>
        {label}
      </label>
      <select
        {...rest}
        id={id}
        className={cx(styles.input, styles.select)}
        aria-describedby={below === undefined ? undefined : `${id}-below`}
      >
        {children}
      </select>
      {below !== undefined && (
        <p id={`${id}-below`} className={error === undefined ? styles.hint : styles.error}>
          {below}
        </p>
      )}
    </div>
  );
};
