import { useId, useState, type ReactNode } from 'react';
import { Button } from '../../../ui/button.tsx';
import styles from './section.module.css';

/** One line that adds a word to a list, with what is wrong said below it. */
export const AddInput = ({
  label,
  placeholder,
  problemOf,
  onAdd,
  testId,
  before,
}: {
  readonly label: string;
  readonly placeholder: string;
  readonly problemOf: (text: string) => string | undefined;
  readonly onAdd: (text: string) => void;
  readonly testId: string;
  /** A control in front of the line. */
  readonly before?: ReactNode;
}): ReactNode => {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState<string | undefined>();
  const id = useId();
  const add = (): void => {
    const word = text.trim();
    if (word === '') return;
    const found = problemOf(word);
    setProblem(found);
    if (found !== undefined) return;
    onAdd(word);
    setText('');
  };
  return (
    <div className={styles.addRow}>
      {before}
      <div>
        <input
          className={styles.input}
          aria-label={label}
          aria-invalid={problem !== undefined || undefined}
          aria-describedby={problem === undefined ? undefined : id}
          placeholder={placeholder}
          spellCheck={false}
          autoComplete="off"
          data-testid={testId}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setProblem(undefined);
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            event.preventDefault();
            add();
          }}
        />
        {problem !== undefined && (
          <p id={id} className={styles.error}>
            {problem}
          </p>
        )}
      </div>
      <Button size="s" disabled={text.trim() === ''} onClick={add}>
        Add
      </Button>
    </div>
  );
};
