import { useId, type ComponentProps, type ReactNode, type Ref } from 'react';
import { cx } from './class-names.ts';
import styles from './field.module.css';

type Common = {
  readonly label: ReactNode;
  readonly hint?: ReactNode;
  /** What is wrong with it and how to put it right. */
  readonly error?: string | undefined;
};

/** A label, what belongs to it, and below a hint or what is wrong. */
const Frame = ({
  id,
  label,
  hint,
  error,
  children,
}: Common & { readonly id: string; readonly children: ReactNode }): ReactNode => {
  const below = error ?? hint;
  return (
    <div className={styles.field}>
      <label className={styles.label} htmlFor={id}>
        {label}
      </label>
      {children}
      {below !== undefined && (
        <p id={`${id}-below`} className={error === undefined ? styles.hint : styles.error}>
          {below}
        </p>
      )}
    </div>
  );
};

const marksOf = (id: string, { hint, error }: Pick<Common, 'hint' | 'error'>) => ({
  id,
  'aria-invalid': error !== undefined || undefined,
  'aria-describedby': (error ?? hint) === undefined ? undefined : `${id}-below`,
});

/** One line of text. */
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
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <input
        spellCheck={false}
        autoComplete="off"
        {...rest}
        ref={inputRef}
        className={cx(styles.input, mono && styles.mono)}
        {...marksOf(id, { hint, error })}
      />
    </Frame>
  );
};

/** A file's text, pasted; it is not shown, as it holds a secret. */
export const FileField = ({
  label,
  hint,
  error,
  ...rest
}: Common & Omit<ComponentProps<'textarea'>, 'className' | 'id' | 'ref'>): ReactNode => {
  const id = useId();
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <textarea
        spellCheck={false}
        autoComplete="off"
        rows={4}
        {...rest}
        className={cx(styles.input, styles.mono, styles.file)}
        {...marksOf(id, { hint, error })}
      />
    </Frame>
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
  return (
    <Frame id={id} label={label} hint={hint} error={error}>
      <select
        {...rest}
        className={cx(styles.input, styles.select)}
        {...marksOf(id, { hint, error })}
      >
        {children}
      </select>
    </Frame>
  );
};
