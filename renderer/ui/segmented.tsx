import { useRef, type KeyboardEvent, type ReactNode } from 'react';
import { cx } from './class-names.ts';
import styles from './segmented.module.css';

export type Segment<T extends string> = {
  readonly value: T;
  readonly label: ReactNode;
  readonly disabled?: boolean;
  /** Why it cannot be chosen, or more about it. */
  readonly title?: string | undefined;
  readonly testId?: string;
};

/** One of a few: a row of radio buttons, worked with the arrow keys. */
export const Segmented = <T extends string>({
  label,
  segments,
  value,
  onChange,
  look = 'boxed',
}: {
  readonly label: string;
  readonly segments: readonly Segment<T>[];
  readonly value: T;
  readonly onChange: (value: T) => void;
  readonly look?: 'boxed' | 'quiet';
}): ReactNode => {
  const group = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent, step: number): void => {
    const open = segments.filter((segment) => segment.disabled !== true);
    const at = open.findIndex((segment) => segment.value === value);
    const next = open[(at + step + open.length) % open.length];
    if (next === undefined) return;
    event.preventDefault();
    onChange(next.value);
    const buttons = group.current?.querySelectorAll<HTMLButtonElement>('button');
    buttons?.[segments.indexOf(next)]?.focus();
  };
  return (
    <div
      ref={group}
      role="radiogroup"
      aria-label={label}
      className={cx(styles.group, styles[look])}
      onKeyDown={(event) => {
        if (event.key === 'ArrowRight' || event.key === 'ArrowDown') move(event, 1);
        if (event.key === 'ArrowLeft' || event.key === 'ArrowUp') move(event, -1);
      }}
    >
      {segments.map((segment) => (
        <button
          key={segment.value}
          type="button"
          role="radio"
          aria-checked={segment.value === value}
          aria-disabled={segment.disabled === true || undefined}
          tabIndex={segment.value === value ? 0 : -1}
          title={segment.title}
          className={cx(styles.segment, segment.value === value && styles.on)}
          data-testid={segment.testId}
          onClick={() => {
            if (segment.disabled !== true) onChange(segment.value);
          }}
        >
          {segment.label}
        </button>
      ))}
    </div>
  );
};
