import { useEffect, useRef, useState, type ReactNode } from 'react';
import { IconButton } from '../../../ui/button.tsx';
import { IconChevronLeft, IconChevronRight, IconClose } from '../../../ui/icons.ts';
import type { Widget } from '../widget.ts';
import styles from './search-bar.module.css';

/** Finds text in the terminal: Enter goes up, Shift+Enter down, Escape back to the terminal. */
export const SearchBar = ({
  widget,
  onClose,
}: {
  readonly widget: Widget;
  readonly onClose: () => void;
}): ReactNode => {
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const [found, setFound] = useState(true);
  useEffect(() => {
    input.current?.focus();
  }, []);
  const find = (query: string, direction: 'up' | 'down'): void => {
    if (query === '') {
      widget.search.clearDecorations();
      setFound(true);
      return;
    }
    setFound(
      direction === 'up' ? widget.search.findPrevious(query) : widget.search.findNext(query),
    );
  };
  return (
    <div role="search" aria-label="Terminal" className={styles.bar} data-testid="terminal-search">
      <input
        ref={input}
        className={styles.input}
        aria-label="Search in the terminal"
        placeholder="Search"
        spellCheck={false}
        autoComplete="off"
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          find(event.target.value, 'up');
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') find(text, event.shiftKey ? 'down' : 'up');
          if (event.key === 'Escape') onClose();
        }}
      />
      <span className={styles.state} role="status">
        {!found && 'not found'}
      </span>
      <IconButton
        label="Further up"
        keys="↵"
        onClick={() => {
          find(text, 'up');
        }}
      >
        <IconChevronLeft size={14} className={styles.turned} />
      </IconButton>
      <IconButton
        label="Further down"
        keys="⇧↵"
        onClick={() => {
          find(text, 'down');
        }}
      >
        <IconChevronRight size={14} className={styles.turned} />
      </IconButton>
      <IconButton label="Close search" keys="Esc" onClick={onClose}>
        <IconClose size={14} />
      </IconButton>
    </div>
  );
};
