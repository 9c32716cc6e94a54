import type { ReactNode, Ref } from 'react';
import { escapeHostile, HostileText } from '../../../ui/hostile-text.tsx';
import { IconClose, IconSearch } from '../../../ui/icons.ts';
import { Kbd } from '../../../ui/kbd.tsx';
import styles from './filter-input.module.css';

/** Splits a filter into finished `prog:`, `host:`, `code:`, `path:` and `method:` words at its front and what is still being typed. */
export const splitFilter = (
  text: string,
): { readonly chips: readonly string[]; readonly rest: string } => {
  const chips: string[] = [];
  let rest = text;
  for (;;) {
    const [whole, chip] = /^\s*((?:prog|host|code|path|method):\S+)\s+/.exec(rest) ?? [];
    if (whole === undefined || chip === undefined) return { chips, rest };
    chips.push(chip);
    rest = rest.slice(whole.length);
  }
};

const join = (chips: readonly string[], rest: string): string =>
  [...chips.map((chip) => `${chip} `), rest].join('');

/** What the timeline is narrowed to: words, and chips for a program, a host or a code. */
export const FilterInput = ({
  text,
  onChange,
  inputRef,
  keys,
  shortcut,
}: {
  readonly text: string;
  readonly onChange: (text: string) => void;
  readonly inputRef: Ref<HTMLInputElement>;
  readonly keys: string;
  readonly shortcut: string;
}): ReactNode => {
  const { chips, rest } = splitFilter(text);
  const drop = (index: number): void => {
    onChange(
      join(
        chips.filter((_, other) => other !== index),
        rest,
      ),
    );
  };
  return (
    <div className={styles.filter} role="search" aria-label="Timeline">
      <IconSearch size={13} className={styles.sign} aria-hidden="true" />
      {chips.map((chip, index) => (
        <span key={chip} className={styles.chip} data-testid="filter-chip">
          <span className={styles.words} title={escapeHostile(chip)}>
            <HostileText>{chip}</HostileText>
          </span>
          <button
            type="button"
            aria-label={`Remove ${chip}`}
            onClick={() => {
              drop(index);
            }}
          >
            <IconClose size={11} aria-hidden="true" />
          </button>
        </span>
      ))}
      <input
        ref={inputRef}
        className={styles.input}
        aria-label="Filter the timeline"
        aria-keyshortcuts={shortcut}
        placeholder={chips.length > 0 ? 'and…' : 'host, path, code… or prog:npm'}
        spellCheck={false}
        autoComplete="off"
        data-testid="timeline-filter"
        value={rest}
        onChange={(event) => {
          onChange(join(chips, event.target.value));
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') onChange(`${text.trimEnd()} `);
          if (event.key === 'Backspace' && rest === '' && chips.length > 0) drop(chips.length - 1);
          if (event.key === 'Escape') {
            if (text === '') event.currentTarget.blur();
            else onChange('');
          }
        }}
      />
      {text === '' && <Kbd keys={keys} />}
    </div>
  );
};
